"""Packed sequences as rows: a reset starts a new row, so any execution may ignore resets."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from resolvent.topology.padding import real_steps


@dataclass(frozen=True, eq=False)
class Segments:
    """Where each segment of a packed batch lies.

    Attributes:
        row: batch row of each segment (s,).
        start: time of each segment's first step (s,).
        lengths: number of steps of each segment (s,), at least 1.
        first: whether a segment continues the row's initial state (s,).
        last: segment that holds each row's final step (b,), -1 where a row has no step.
    """

    row: Tensor
    start: Tensor
    lengths: Tensor
    first: Tensor
    last: Tensor

    @classmethod
    def of(cls, resets: Tensor, lengths: Tensor | None) -> Segments:
        """Segments of a batch with ``resets`` (b, l) bool and right padding ``lengths`` (b,)."""
        b, length = resets.shape
        device = resets.device
        if lengths is None:
            lengths = torch.full((b,), length, device=device)
        at_start = torch.arange(length, device=device) == 0
        starts = real_steps(lengths, length) & (resets | at_start)
        row, start = starts.nonzero(as_tuple=True)
        following = torch.cat([row[1:], row.new_full((1,), -1)])
        end = torch.where(following == row, torch.roll(start, -1), lengths[row])
        last = starts.sum(1).cumsum(0) - 1
        return cls(
            row=row,
            start=start,
            lengths=end - start,
            first=~resets[row, start],
            last=torch.where(starts.any(1), last, torch.full_like(last, -1)),
        )

    @property
    def position(self) -> Tensor:
        """Time of each segment's steps (s, longest); beyond its end, that of its last step."""
        longest = int(self.lengths.max()) if len(self.row) else 0
        steps = torch.arange(longest, device=self.row.device)
        return self.start[:, None] + torch.minimum(steps, self.lengths[:, None] - 1)

    def groups(self, least: int) -> list[tuple[Tensor, Segments]]:
        """The segments by length, each group with its indices.

        A group is padded to its longest segment. Its lengths are within a factor of two, or all
        below ``least``; one group of everything could take memory quadratic in the length.
        """
        size = torch.frexp(self.lengths.clamp(min=least).float()).exponent
        indices = [(size == k).nonzero()[:, 0] for k in size.unique()]
        return [
            (i, Segments(self.row[i], self.start[i], self.lengths[i], self.first[i], self.last))
            for i in indices
        ]

    def split(self, x: Tensor) -> Tensor:
        """Rows of a batch (b, l, ...) to segments (s, longest, ...)."""
        return x[self.row[:, None], self.position]

    def join(self, y: Tensor, b: int, length: int) -> Tensor:
        """Segments (s, longest, ...) back to rows (b, length, ...), zero where there is no step."""
        position = self.position
        real = real_steps(self.lengths, position.shape[1])
        row = self.row[:, None].expand_as(position)[real]
        out = y.new_zeros(b, length, *y.shape[2:])
        return out.index_put((row, position[real]), y[real])
