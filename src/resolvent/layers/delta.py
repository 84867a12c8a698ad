"""The delta rule and its products: what is written under a key replaces what it recalled.

    q, k_j, v_j = SiLU(conv(W u))                            j = 1..r writes a step
    q, k_j      = q / |q| n^(-1/2), k_j / |k_j|
    beta_j      = c sigmoid(gain W_b u)                      c = 1, or 2: eigenvalues from -1 to 1
    alpha       = exp(-exp(A_log) dt), dt = softplus(W_a u + b_a)     with a gate, else 1
    S <- alpha S, then S <- S + beta_j k_j (v_j - S^T k_j)^T for j = 1..r, then y = S^T q
    out         = W_o (RMSNorm(y) * SiLU(W_g u))             normalised a head

r = 1: DeltaNet (Yang et al. 2024) and Gated DeltaNet (Yang, Kautz & Hatamizadeh 2025). r > 1:
DeltaProduct (Siems et al. 2025), a step of r Householder factors. c = 2 lets a state change its
sign, which parity needs, and r reflections permute r + 1 things (Grazzi et al. 2025).
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from resolvent.layers.base import Prepared, Timing, full_precision
from resolvent.layers.convolution import ShortConvolution
from resolvent.layers.mixer import dtype_of, positive_quotient
from resolvent.layers.modal import check_d_state
from resolvent.layers.selective import RMSNorm, SelectiveLayer, step_size
from resolvent.structure import Householder
from resolvent.system import Varying

EPS = 1e-6
"""Added to the square of a length: keys are a little shorter than 1, never longer."""


class DeltaProduct(SelectiveLayer):
    """Delta rule with several writes a step, without a gate.

    Args:
        d_model: number of features.
        n_heads: number of heads, a divisor of d_model; the largest up to 4 by default.
        d_state: size of a head's keys; d_model / n_heads, that of its values, by default.
        writes: writes a step, r.
        eigenvalue_range: (-1, 1) for c = 2, (0, 1) for c = 1.
        d_conv: width of the short convolution; 0 for neither convolution nor SiLU.
        gain: of the logits of beta; above 1, beta comes sooner to its bounds, where states last.
        execution: see :func:`resolvent.execute.run`.

    Raises:
        ValueError: an argument is out of range, or does not divide what it should.
    """

    gated: ClassVar[bool] = False

    def __init__(
        self,
        d_model: int,
        n_heads: int | None = None,
        d_state: int | None = None,
        writes: int = 2,
        eigenvalue_range: tuple[int, int] = (-1, 1),
        d_conv: int = 4,
        gain: float = 1.0,
        execution: str = "auto",
    ):
        super().__init__(d_model, execution)
        if tuple(eigenvalue_range) not in ((0, 1), (-1, 1)):
            raise ValueError(f"eigenvalue_range: must be (0, 1) or (-1, 1), got {eigenvalue_range}")
        if not isinstance(writes, int) or writes < 1:
            raise ValueError(f"writes: must be a positive integer, got {writes!r}")
        m = max(m for m in range(1, 5) if d_model % m == 0) if n_heads is None else n_heads
        p = positive_quotient("n_heads", d_model, m, "d_model")
        self.m, self.n, self.p, self.r = m, p if d_state is None else d_state, p, writes
        check_d_state(self.n)
        self.largest, self.gain = 1 - eigenvalue_range[0], gain
        self.filtered = m * (self.n + writes * (self.n + p))
        self.steps = self.declare_decay()
        self.in_proj = nn.Linear(d_model, self.filtered + d_model + m * writes + self.steps, False)
        self.conv = ShortConvolution(self.filtered, d_conv, False) if d_conv else None
        self.norm = RMSNorm(d_model, m)
        self.out_proj = nn.Linear(d_model, d_model, False)

    def state_shape(self) -> tuple[int, int, int]:
        """A matrix of keys x values for each head."""
        return self.m, self.n, self.p

    def prepare(self, u: Tensor, memory: tuple[Tensor, ...], timing: Timing) -> Prepared:
        """Project, convolve, and make the delta rule; all in full precision, keys must be sharp."""
        m, n, p, r = self.m, self.n, self.p, self.r
        with full_precision(u.device):
            x, gate, beta, step = self.in_proj(u.to(dtype_of(self.in_proj))).split(
                [self.filtered, self.d_model, m * r, self.steps], -1
            )
            if self.conv:
                x, tail = self.conv(x, memory, timing)
                memory = (tail,)
            q, k, v = x.unflatten(-1, (m, -1)).split([n, r * n, r * p], -1)
            beta = self.largest * torch.sigmoid(self.gain * beta.unflatten(-1, (m, r)))
            A = Householder(self.decay(step, timing), _unit(k.unflatten(-1, (r, n))), beta)
            system = Varying.delta_rule(A, _unit(q) * n**-0.5)
        return Prepared(system, v.unflatten(-1, (r, p)), memory, (gate,))

    def declare_decay(self) -> int:
        """Make the decay's parameters; how many features of the input's projection it takes."""
        if self.gated:
            self.declare_dynamics(torch.empty(self.m).uniform_(0.01, 16), self.m, skip=False)
        return self.m * self.gated

    def decay(self, step: Tensor, timing: Timing) -> Tensor:
        """What a step keeps (b, l, m, 1), or (b, l, m, n), of those features (b, l, ...)."""
        if not self.gated:
            return step.new_ones(*step.shape[:2], self.m, 1)
        return torch.exp(self.eigenvalues * step_size(step + self.dt_bias, timing))[..., None]

    def finish(self, y: Tensor, prepared: Prepared) -> Tensor:
        """Normalise, gate and project back."""
        return self.out_proj(self.norm(y.flatten(2)) * silu(prepared.carry[0]))


class GatedDeltaProduct(DeltaProduct):
    """Delta rule with several writes a step after a gate; arguments as for DeltaProduct."""

    gated = True


class DeltaNet(DeltaProduct):
    """Delta rule with one write a step; arguments as for DeltaProduct."""

    def __init__(
        self,
        d_model: int,
        n_heads: int | None = None,
        d_state: int | None = None,
        eigenvalue_range: tuple[int, int] = (0, 1),
        d_conv: int = 4,
        gain: float = 1.0,
        execution: str = "auto",
    ):
        super().__init__(d_model, n_heads, d_state, 1, eigenvalue_range, d_conv, gain, execution)


class GatedDeltaNet(DeltaNet):
    """Delta rule with one write a step after a gate; arguments as for DeltaNet."""

    gated = True


def _unit(x: Tensor) -> Tensor:
    return x * torch.rsqrt(x.square().sum(-1, keepdim=True) + EPS)
