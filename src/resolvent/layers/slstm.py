"""sLSTM (Beck et al. 2024, "xLSTM"): exponential gates, a normaliser, memory mixing within heads.

i, f, z, o = W u + R h + b                      R has one block a head
m' = max(log sigma(f) + m, i)                   the stabiliser, so that no exponent is positive
c' = exp(log sigma(f) + m - m') c + exp(i - m') tanh(z)
n' = exp(log sigma(f) + m - m') n + exp(i - m')
h' = sigma(o) c' / n'

y is h, normalised within each head. Because h goes back into the gates, sLSTM can track a state.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import layer_norm, linear

from resolvent.layers.gated import FusedLayer


class SLSTM(FusedLayer):
    """Scalar LSTM with exponential gating; the state is [h, c, n, m].

    Args:
        d_model: number of features.
        heads: blocks of the recurrent matrices, and groups of the norm; must divide d_model (the
            paper has 4).
        execution: "auto" (the fused kernel), "loop" or "newton" (dense Jacobians: for few states).

    Raises:
        ValueError: heads does not divide d_model.
    """

    kind = "slstm"

    def __init__(self, d_model: int, heads: int = 1, execution: str = "auto"):
        super().__init__(d_model, 4, heads, execution)
        bias = torch.zeros(4, d_model)
        bias[1] = torch.linspace(3, 6, d_model)  # long memories to start with
        scale = (2 / (5 * d_model)) ** 0.5
        self.declare("weight", scale * torch.randn(4 * d_model, d_model))
        self.declare("recurrent", torch.zeros(4 * d_model, self.size))
        self.declare("bias", bias.flatten(), None, 0.0)
        self.declare("gain", torch.ones(d_model), None, 0.0)

    def inputs(self, u: Tensor) -> Tensor:
        """The gates' share of the input, (..., 4 d_model)."""
        return linear(u, self.weight, self.bias)

    def recurrence(self) -> tuple[Tensor, Tensor | None]:
        """The recurrent matrices; the one bias is with the input."""
        return self.recurrent, None

    def output(self, h: Tensor) -> Tensor:
        """The hidden quarter of the state, each head normalised."""
        parts = super().output(h).unflatten(-1, (self.heads, -1))
        return layer_norm(parts, parts.shape[-1:]).flatten(-2) * self.gain
