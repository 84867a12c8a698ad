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
from torch.nn.functional import layer_norm, linear, logsigmoid

from resolvent.layers.mixer import positive_quotient
from resolvent.layers.nonlinear import NonlinearLayer, headwise, hold


class SLSTM(NonlinearLayer):
    """Scalar LSTM with exponential gating; the state is [h, c, n, m].

    Args:
        d_model: number of features.
        heads: blocks of the recurrent matrices, and groups of the norm; must divide d_model (the
            paper has 4).
        execution: "auto" (the loop), "loop" or "newton" (dense Jacobians: for few states).

    Raises:
        ValueError: heads does not divide d_model.
    """

    def __init__(self, d_model: int, heads: int = 1, execution: str = "auto"):
        super().__init__(d_model, 4 * d_model, None, execution)
        size = positive_quotient("heads", d_model, heads, "the features")
        self.heads = heads
        bias = torch.zeros(4, d_model)
        bias[1] = torch.linspace(3, 6, d_model)  # long memories to start with
        scale = (2 / (5 * d_model)) ** 0.5
        self.declare("weight", scale * torch.randn(4 * d_model, d_model))
        self.declare("recurrent", torch.zeros(4 * d_model, size))
        self.declare("bias", bias.flatten(), None, 0.0)
        self.declare("gain", torch.ones(d_model), None, 0.0)

    def inputs(self, u: Tensor) -> Tensor:
        """The gates' share of the input, (..., 4 d_model)."""
        return linear(u, self.weight, self.bias)

    def cell(self, h: Tensor, x: Tensor, dt: Tensor | None = None) -> Tensor:
        """One step of the module docstring's equations."""
        h, c, n, m = h.chunk(4, -1)
        i, f, z, o = (x + headwise(h, self.recurrent, self.heads)).chunk(4, -1)
        log_keep = logsigmoid(f)
        if dt is not None:
            _, times = hold(log_keep, dt)
            log_keep, i = dt * log_keep, i + torch.as_tensor(times).log()
        # an empty memory has no scale of its own
        top = torch.where(n == 0, i, torch.maximum(log_keep + m, i))
        keep, add = torch.where(n == 0, 0.0, (log_keep + m - top).exp()), (i - top).exp()
        c, n = keep * c + add * torch.tanh(z), keep * n + add
        return torch.cat([torch.sigmoid(o) * c / n, c, n, top], -1)

    def output(self, h: Tensor) -> Tensor:
        """The hidden quarter of the state, each head normalised."""
        parts = h[..., : self.d_model].unflatten(-1, (self.heads, -1))
        return layer_norm(parts, parts.shape[-1:]).flatten(-2) * self.gain
