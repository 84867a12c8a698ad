"""Tokens in the order of their importance, then a causal layer (Vo et al. 2025, "Demystifying the
Token Dynamics of Deep Selective State Space Models", refinement of the order).

    s_t = w^T u_t                                           importance
    y = layer(P u)     P_ij = softmax_j(-|sort(s)_i - s_j| / tau)    ascending

P is the softened permutation of Prillo & Eisenschlos (2020, SoftSort); the most important token
comes last, where the layer has seen all others. As published, the output is not sorted back.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from resolvent.layers.mixer import Mixer, Timing, WholeMixer, dtype_of, full_precision
from resolvent.layers.state import State
from resolvent.topology.padding import real_steps, zero_padding


class SoftSorted(WholeMixer):
    """An order around any causal layer; the order takes memory quadratic in the length.

    Args:
        layer: what reads the sorted tokens.
        temperature: tau; the smaller, the nearer to a permutation.

    Raises:
        ValueError: the temperature is not positive.
    """

    def __init__(self, layer: Mixer, temperature: float = 1.0):
        super().__init__(layer.d_model)
        if not temperature > 0:
            raise ValueError(f"temperature: must be a positive number, got {temperature!r}")
        self.layer, self.temperature = layer, temperature
        self.score = nn.Linear(layer.d_model, 1, bias=False)

    def mix(self, u: Tensor, state: State | None, timing: Timing) -> tuple[Tensor, None]:
        """Sort and run each row, or each part of it between resets."""
        return self.apart(self._sorted, u, timing), None

    def order(self, u: Tensor, lengths: Tensor | None = None) -> Tensor:
        """P (b, l, l) of tokens u (b, l, d_model), 0 between real steps and padding."""
        with full_precision(u.device):
            s = self.score(u.to(dtype_of(self.score)))[..., 0]
            real = None if lengths is None else real_steps(lengths, u.shape[1])
            if real is not None:
                s = s.masked_fill(~real, torch.inf)
            ordered, s = (zero_padding(x, real)[..., None] for x in (s.sort(-1).values, s))
            logits = -(ordered - s.mT).abs() / self.temperature
            if real is not None:
                logits = logits.masked_fill(~real[:, None], -1e30)
            return zero_padding(logits.softmax(-1), real)

    def _sorted(self, u: Tensor, timing: Timing) -> Tensor:
        P, dt = self.order(u, timing.lengths), timing.dt
        with full_precision(u.device):
            u = P @ u.to(P.dtype)
            if dt is not None:
                dt = (P @ dt.to(P.dtype)[..., None])[..., 0]
                if timing.lengths is not None:  # any positive number will do for padding
                    dt = dt.masked_fill(~real_steps(timing.lengths, u.shape[1]), 1.0)
        return self.layer(u, dt=dt, lengths=timing.lengths)[0]
