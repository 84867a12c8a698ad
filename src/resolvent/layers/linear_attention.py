"""Linear attention and its decays, as one system of matrix states.

    S_t = A_t S_{t-1} + k_t v_t^T        y_t = S_t^T q_t        S (n x p) a head

    decay       A_t                              y
    "none"      1                                divided by q_t . sum k     Katharopoulos 2020
    "fixed"     1 - 2^(-5-m) for head m          RMSNorm, gate              RetNet (Sun 2023)
    "gated"     diag(sigmoid(W_a u)^(1/16))      RMSNorm, gate              GLA (Yang 2024)

"none" takes k, q as elu + 1 of their projections, and carries the divisor as one more channel of
ones. RetNet's rotation is left out; factors dt of irregular time are powers of the decay.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import elu, logsigmoid, pad, silu

from resolvent.layers.base import Prepared, Timing, full_precision
from resolvent.layers.mixer import dtype_of, positive_quotient
from resolvent.layers.modal import check_d_state
from resolvent.layers.selective import RMSNorm, SelectiveLayer
from resolvent.structure import Diagonal, Scalar, Structure
from resolvent.system import Varying

DECAYS = ("none", "fixed", "gated")
EPS = 1e-6
"""Added to the divisor, which is positive."""


class LinearAttention(SelectiveLayer):
    """Linear attention with no decay, a fixed one a head, or a gated one a state.

    Args:
        d_model: number of features.
        n_heads: number of heads, a divisor of d_model; the largest up to 4 by default.
        d_state: states of each head's channels, the size of its keys; d_model / n_heads by default.
        decay: one of DECAYS, the equations above.
        execution: see :func:`resolvent.execute.run`.

    Raises:
        ValueError: n_heads does not divide d_model, or the decay is unknown.
    """

    def __init__(
        self,
        d_model: int,
        n_heads: int | None = None,
        d_state: int | None = None,
        decay: str = "gated",
        execution: str = "auto",
    ):
        super().__init__(d_model, execution)
        m = max(m for m in range(1, 5) if d_model % m == 0) if n_heads is None else n_heads
        p = positive_quotient("n_heads", d_model, m, "d_model")
        if decay not in DECAYS:
            raise ValueError(f"decay: {decay!r} is unknown; choose one of {', '.join(DECAYS)}")
        self.decay, self.m, self.n, self.p = decay, m, p if d_state is None else d_state, p
        check_d_state(self.n)
        self.in_proj = nn.Linear(d_model, m * (2 * self.n + p), False)
        self.out_proj = nn.Linear(d_model, d_model, False)
        if decay == "gated":
            self.decay_proj = nn.Sequential(
                nn.Linear(d_model, 16, False), nn.Linear(16, m * self.n)
            )
        if decay != "none":
            self.gate_proj = nn.Linear(d_model, d_model, False)
            self.norm = RMSNorm(d_model, m)

    def state_shape(self) -> tuple[int, int, int]:
        """A matrix a head, with a channel for the divisor."""
        return self.m, self.n, self.p + (self.decay == "none")

    def prepare(self, u: Tensor, memory: tuple[Tensor, ...], timing: Timing) -> Prepared:
        """Keys, queries and values, and the decays between them."""
        m, n, p = self.m, self.n, self.p
        with full_precision(u.device):
            x = u.to(dtype_of(self.in_proj))
            q, k, v = self.in_proj(x).unflatten(-1, (m, -1)).split([n, n, p], -1)
            if self.decay == "none":
                q, k, v = elu(q) + 1, elu(k) + 1, pad(v, (0, 1), value=1.0)
            else:
                q = q * n**-0.5
            system = Varying.of(self._transition(x, timing), k, q, v.new_zeros(v.shape[2:]))
        return Prepared(system, v, (), () if self.decay == "none" else (silu(self.gate_proj(u)),))

    def finish(self, y: Tensor, prepared: Prepared) -> Tensor:
        """Divide, or normalise and gate; project back."""
        if self.decay == "none":
            return self.out_proj((y[..., :-1] / (y[..., -1:] + EPS)).flatten(2))
        return self.out_proj(self.norm(y.flatten(2)) * prepared.carry[0])

    def _transition(self, u: Tensor, timing: Timing) -> Structure:
        """Decays exp(dt log a), with log a at most 0."""
        dt = u.new_ones(*u.shape[:2], 1) if timing.dt is None else timing.dt.to(u.dtype)[..., None]
        if self.decay == "gated":
            log = logsigmoid(self.decay_proj(u)).unflatten(-1, (self.m, self.n)) / 16
            return Diagonal((dt[..., None] * log).exp())
        head = torch.arange(self.m, device=u.device, dtype=u.dtype)
        log = torch.log1p(-(2.0 ** (-5 - head))) if self.decay == "fixed" else 0 * head
        return Scalar((dt * log).exp(), self.n)
