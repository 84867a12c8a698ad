"""Aaren (Feng et al. 2024, "Attention as an RNN"): softmax attention with a learned query.

s_t = q . k_t / sqrt(p)                          q a learned vector a head of p channels
L_t = log(e^{L_{t-1}} + e^{s_t})                 the normaliser of the prefix, as a logarithm
h_t = e^{L_{t-1} - L_t} h_{t-1} + e^{s_t - L_t} v_t

The paper carries maximum, normaliser and weighted sum; here L_t = maximum + log(normaliser), and
h_t is the quotient, already attention's output over steps 1 to t, a convex combination of what was
and what comes. So the system's implied attention is the attention matrix. A step that lasts dt
weighs dt times.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from resolvent.layers.base import Prepared, Timing, full_precision
from resolvent.layers.mixer import positive_quotient
from resolvent.layers.stabilised import StabilisedLayer
from resolvent.structure import Diagonal
from resolvent.system import Varying


class Aaren(StabilisedLayer):
    """Attention over the whole past, in parallel or in constant memory and time a step.

    Args:
        d_model: number of features.
        heads: number of heads; must divide d_model.

    Raises:
        ValueError: heads does not divide d_model.
    """

    def __init__(self, d_model: int, heads: int = 1):
        super().__init__(d_model)
        p = positive_quotient("heads", d_model, heads, "the features")
        self.declare("query", torch.randn(heads, p))
        self.key = nn.Linear(d_model, d_model, bias=False)
        self.value = nn.Linear(d_model, d_model, bias=False)
        self.out_proj = nn.Linear(d_model, d_model, bias=False)

    def state_shape(self) -> tuple[int, int, int]:
        """The attended values of every head."""
        heads, p = self.query.shape
        return heads, 1, p

    def prepare(self, u: Tensor, memory: tuple[Tensor, ...], timing: Timing) -> Prepared:
        """Score every step, track the normaliser, weigh."""
        heads, p = self.query.shape
        k, v = (f(u).unflatten(-1, (heads, p)) for f in (self.key, self.value))
        with full_precision(u.device):
            s = (k.to(self.query.dtype) * self.query).sum(-1) * p**-0.5
            if timing.dt is not None:
                s = s + timing.dt.to(s.dtype).log()[..., None]
            scale = self.track(torch.logaddexp, (torch.zeros_like(s), s), memory, timing)
            A, B = Diagonal(scale.decay[..., None]), scale.add[..., None]
            system = Varying.of(A, B, torch.ones_like(B), s.new_zeros(heads, p))
        return Prepared(system, v, (scale.last,))

    def finish(self, y: Tensor, prepared: Prepared) -> Tensor:
        """Mix the heads."""
        return self.out_proj(y.flatten(2))
