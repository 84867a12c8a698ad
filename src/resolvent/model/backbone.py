"""A stack of blocks between an input projection and a final norm: features for every step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from resolvent.block import Block, make_norm, normalise, real_mask, require_causal
from resolvent.topology.padding import zero_padding


class Backbone(nn.Module):
    """Input projection, blocks, final norm: (b, l, d_input) -> (b, l, d_model).

    Keeps the contract of a layer; its state is the tuple of the blocks' states.

    Args:
        d_input: number of input channels.
        blocks: at least one block, all of the same d_model.
        norm: final norm, one of :data:`resolvent.block.NORMS`; "none" after post-norm blocks.

    Raises:
        ValueError: there are no blocks, or their d_model differ.
    """

    def __init__(self, d_input: int, blocks: Sequence[Block], norm: str = "layer"):
        super().__init__()
        sizes = sorted({block.d_model for block in blocks})
        if len(sizes) != 1:
            raise ValueError(f"blocks: expected blocks of one d_model, got d_model {sizes}")
        if d_input < 1:
            raise ValueError(f"d_input: must be a positive integer, got {d_input!r}")
        self.d_input = d_input
        self.d_model = sizes[0]
        self.encoder = nn.Linear(d_input, self.d_model)
        self.blocks: Sequence[Block] = nn.ModuleList(blocks)  # type: ignore[assignment]
        self.norm = make_norm(norm, self.d_model)

    @property
    def causal(self) -> bool:
        """Whether every block is causal."""
        return all(block.causal for block in self.blocks)

    def forward(
        self,
        x: Tensor,
        state: tuple[Any, ...] | None = None,
        *,
        dt: Tensor | None = None,
        resets: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> tuple[Tensor, tuple[Any, ...]]:
        """Features y (b, l, d_model) of x (b, l, d_input); else as :meth:`Layer.forward`."""
        self._check(x, ("b", "l"))
        real = real_mask(x, lengths)
        y = self.encoder(zero_padding(x, real))
        before = (None,) * len(self.blocks) if state is None else state
        after = []
        for block, h in zip(self.blocks, before, strict=True):
            y, h = block(y, h, dt=dt, resets=resets, lengths=lengths)
            after.append(h)
        return zero_padding(normalise(self.norm, y, real), real), tuple(after)

    def step(
        self, x_t: Tensor, state: tuple[Any, ...], *, dt: Tensor | None = None
    ) -> tuple[Tensor, tuple[Any, ...]]:
        """One step of a stream: x_t (b, d_input), dt (b,) -> y_t (b, d_model) and the new state.

        Raises:
            TypeError: a block is not causal.
        """
        self._check(x_t, ("b",))
        y, after = self.encoder(x_t), []
        for block, h in zip(self.blocks, state, strict=True):
            y, h = block.step(y, h, dt=dt)
            after.append(h)
        return self.norm(y), tuple(after)

    def initial_state(
        self,
        batch_size: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> tuple[Any, ...]:
        """The blocks' states before the first step.

        Raises:
            TypeError: a block is not causal.
        """
        require_causal(self)
        return tuple(block.initial_state(batch_size, device, dtype) for block in self.blocks)

    def _check(self, x: Tensor, leading: tuple[str, ...]) -> None:
        if x.ndim != len(leading) + 1 or x.shape[-1] != self.d_input:
            shape = ", ".join((*leading, str(self.d_input)))
            raise ValueError(f"x: expected shape ({shape}), got {tuple(x.shape)}")
