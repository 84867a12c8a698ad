"""Packed sequences as rows: a reset starts a new row, so any execution may ignore resets."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Segments:
    """Where each segment of a packed batch lies.

    Attributes:
        row: batch row of each segment (s,).
        position: time of each segment's steps (s, longest); clamped beyond its end.
        lengths: number of steps of each segment (s,).
        first: whether a segment continues the row's initial state (s,).
        last: segment that holds each row's final step (b,), -1 where a row has no step.
    """

    row: Tensor
    position: Tensor
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
        time = torch.arange(length, device=device)
        real = time < lengths[:, None]
        starts = real & (resets | (time == 0))
        row, start = starts.nonzero(as_tuple=True)
        following = torch.cat([row[1:], row.new_full((1,), -1)])
        end = torch.where(following == row, torch.roll(start, -1), lengths[row])
        longest = int((end - start).max()) if len(row) else 0
        position = start[:, None] + torch.arange(longest, device=device)
        last = starts.sum(1).cumsum(0) - 1
        return cls(
            row=row,
            position=position.clamp(max=max(length - 1, 0)),
            lengths=end - start,
            first=~resets[row, start],
            last=torch.where(starts.any(1), last, torch.full_like(last, -1)),
        )

    def split(self, x: Tensor) -> Tensor:
        """Rows of a batch (b, l, ...) to segments (s, longest, ...)."""
        return x[self.row[:, None], self.position]

    def join(self, y: Tensor, b: int, length: int) -> Tensor:
        """Segments (s, longest, ...) back to rows (b, length, ...), zero where there is no step."""
        steps = torch.arange(self.position.shape[1], device=y.device)
        real = steps < self.lengths[:, None]
        row = self.row[:, None].expand_as(self.position)[real]
        out = y.new_zeros(b, length, *y.shape[2:])
        return out.index_put((row, self.position[real]), y[real])
