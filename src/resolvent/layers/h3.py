"""H3, Hungry Hungry Hippos (Fu et al. 2023, "Hungry Hungry Hippos: Towards Language Modeling with
State Space Models"), with heads of one channel.

    q, k, v = W u
    out = W_o (q * S4D(shift(k) * v))

The shift system remembers the last inputs, and its output map is learned: a short convolution,
whose state is its tail. The other system is an S4D of frequencies (lin).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from resolvent.layers.convolution import ShortConvolution
from resolvent.layers.mixer import Mixer, Timing
from resolvent.layers.s4d import S4D
from resolvent.layers.state import State


class H3(Mixer):
    """A shift and a diagonal system between three projections that are multiplied.

    Args:
        d_model: number of features.
        d_state: real states of the diagonal system of each feature.
        d_shift: steps that the shift system remembers, the present one included.
        execution: see :func:`resolvent.execute.run`.
    """

    def __init__(self, d_model: int, d_state: int = 64, d_shift: int = 64, execution: str = "auto"):
        super().__init__(d_model)
        self.in_proj = nn.Linear(d_model, 3 * d_model)
        self.conv = ShortConvolution(d_model, d_shift, bias=False, silu=False)
        self.diagonal = S4D(d_model, d_state, init="lin", execution=execution)
        self.out_proj = nn.Linear(d_model, d_model)

    def mix(self, u: Tensor, state: State | None, timing: Timing) -> tuple[Tensor, State]:
        """Project, shift, multiply, remember, multiply, project back."""
        before = self.initial_state(len(u), u.device) if state is None else state
        q, k, v = self.in_proj(u).chunk(3, -1)
        k, tail = self.conv(k, before.memory, timing)
        y, after = self.diagonal(k * v, State(before.h), **vars(timing))
        return self.out_proj(q * y), State(after.h, (tail,))

    def initial_state(
        self,
        batch_size: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> State:
        """Zeros, for the diagonal system and for the shift."""
        h, _ = self.diagonal.initial_state(batch_size, device, dtype)
        return State(h, (self.conv.initial_tail(batch_size).to(device=device, dtype=dtype),))
