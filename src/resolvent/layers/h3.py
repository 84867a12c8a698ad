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
from torch.nn.functional import pad

from resolvent.layers.convolution import ShortConvolution
from resolvent.layers.mixer import Mixer, Timing, needed
from resolvent.layers.s4d import S4D
from resolvent.layers.state import State
from resolvent.structure import Dense
from resolvent.system import Discrete, Varying


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

    def system(self, u: Tensor | None = None, dt: Tensor | None = None) -> Varying:
        """From v to what the last projection reads, on u (b, l, d_model).

        Raises:
            TypeError: u is missing.
        """
        q, k, _ = self.in_proj(needed(self, u)).chunk(3, -1)
        k, _ = self.conv(k, (), Timing())
        return between_gates(self.diagonal.system(None, dt), k, q)

    def initial_state(
        self,
        batch_size: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> State:
        """Zeros, for the diagonal system and for the shift."""
        h, _ = self.diagonal.initial_state(batch_size, device, dtype)
        return State(h, (self.conv.initial_tail(batch_size).to(device=device, dtype=dtype),))


def between_gates(system: Discrete, before: Tensor, after: Tensor) -> Varying:
    """A system of one channel a head between gates (b, l, m): y = after * system(before * v).

    Dense; the skip D becomes a state that holds the present input.
    """
    A, B, C, D = system.dense()
    A, B = pad(A, (0, 1, 0, 1)), pad(B[..., 0], (0, 1), value=1.0)
    C = torch.cat([C[..., 0, :], D.expand(*C.shape[:-2], 1)], -1)
    A = A.expand(*before.shape, *A.shape[-2:])
    B, C = B * before[..., None], C * after[..., None]
    return Varying.of(Dense(A), B, C, B.new_zeros(before.shape[2], 0))
