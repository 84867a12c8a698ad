"""mLSTM (Beck et al. 2024, "xLSTM"; form of xLSTM-7B, 2025): a matrix memory, exponential gates.

q, k, v = W u                                   k / sqrt(n), for heads of n keys and p values
i, f = 15 tanh((W u + b) / 15)                  one number a head
m_t = max(log sigma(f_t) + m_{t-1}, i_t)        the stabiliser
C_t = e^{log sigma(f_t) + m_{t-1} - m_t} C_{t-1} + e^{i_t - m_t} k_t [v_t, 1]^T
[w_t, z_t] = C_t^T q_t
y_t = RMSNorm(w_t / max(|z_t|, e^{-m_t})) * sigma(W_o u)

The column of ones is the paper's normaliser n. The quotient does not depend on m: it is that of the
recurrence without stabiliser, over max(|z|, 1).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, pad

from resolvent.layers.base import Prepared, Timing, full_precision
from resolvent.layers.mixer import positive_quotient
from resolvent.layers.modal import check_d_state
from resolvent.layers.nonlinear import log_hold
from resolvent.layers.selective import RMSNorm
from resolvent.layers.stabilised import StabilisedLayer
from resolvent.structure import Scalar
from resolvent.system import Varying

CAP = 15.0
"""Bound on the gates' logits."""
HIGHEST = 80.0
"""Largest exponent that float32 takes."""


class MLSTM(StabilisedLayer):
    """Matrix LSTM: linear attention with exponential gates and its normaliser.

    Args:
        d_model: number of features.
        d_state: keys of each head; half the values of a head by default, at least 1.
        heads: number of heads; must divide d_model.

    Raises:
        ValueError: heads does not divide d_model, or d_state is not a positive integer.
    """

    def __init__(self, d_model: int, d_state: int | None = None, heads: int = 1):
        super().__init__(d_model)
        p = positive_quotient("heads", d_model, heads, "the features")
        n = max(1, p // 2) if d_state is None else d_state
        check_d_state(n)
        self.heads, self.n = heads, n
        self.in_proj = nn.Linear(d_model, 2 * heads * n + 2 * d_model, bias=False)
        self.out_proj = nn.Linear(d_model, d_model, bias=False)
        self.norm = RMSNorm(d_model, heads, eps=1e-6)
        self.declare("gates", torch.zeros(2 * heads, d_model))
        bias = torch.cat([0.1 * torch.randn(heads), torch.linspace(3, 6, heads)])
        self.declare("gate_bias", bias, None, 0.0)

    def state_shape(self) -> tuple[int, int, int]:
        """A matrix of keys by values and normaliser for each head."""
        return self.heads, self.n, self.d_model // self.heads + 1

    def prepare(self, u: Tensor, memory: tuple[Tensor, ...], timing: Timing) -> Prepared:
        """Project, track the stabiliser, scale what is kept and what is added."""
        m, n, d = self.heads, self.n, self.d_model
        with full_precision(u.device):  # a quotient of sums that may cancel: nothing is rounded
            u = u.to(self.gates.dtype)
            q, k, v, o = self.in_proj(u).split([m * n, m * n, d, d], -1)
            logits = u @ self.gates.T + self.gate_bias
            i, f = (CAP * torch.tanh(logits / CAP)).chunk(2, -1)
            keep = logsigmoid(f)
            if timing.dt is not None:
                keep, times = log_hold(keep, timing.dt.to(u.dtype)[..., None])
                i = i + times.log()
            scale = self.track(torch.maximum, (keep, i), memory, timing)
            q, k = (x.unflatten(-1, (m, n)) for x in (q, k))
            B = k * n**-0.5 * scale.add[..., None]
            D = q.new_zeros(m, d // m + 1)
            system = Varying.of(Scalar(scale.decay, n), B, q, D)
            v = pad(v.unflatten(-1, (m, -1)), (0, 1), value=1.0)
        return Prepared(system, v, (scale.last,), (scale.m, o))

    def finish(self, y: Tensor, prepared: Prepared) -> Tensor:
        """Divide by the normaliser, normalise, gate, project."""
        m, o = prepared.carry
        least = (-m).clamp(max=HIGHEST).exp()
        h = y[..., :-1] / torch.maximum(y[..., -1].abs(), least)[..., None]
        return self.out_proj(self.norm(h.flatten(2)) * torch.sigmoid(o))
