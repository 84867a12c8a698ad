"""Mamba-2 (Dao & Gu 2024, "Transformers are SSMs", SSD): one scalar decay a head of p channels.

z, x, B, C, dt = W_in u                         in parallel; B and C shared by a group of heads
x, B, C = SiLU(conv(x, B, C))
dt = softplus(dt + b_dt), within dt_limit       a step size a head and step
h_t = exp(dt_t A) h_{t-1} + dt_t B_t x_t^T      h (n x p), A = -exp(A_log) a number a head
y_t = C_t^T h_t + D x_t
out = W_out RMSNorm(y * SiLU(z))                over each group's features
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from resolvent.discretize import mixed
from resolvent.layers.base import Prepared, Timing, full_precision
from resolvent.layers.convolution import ShortConvolution
from resolvent.layers.modal import check_d_state
from resolvent.layers.selective import RMSNorm, SelectiveLayer, count_heads, has_bias, step_size
from resolvent.structure import Scalar
from resolvent.system import Continuous


class Mamba2(SelectiveLayer):
    """The state-space-dual layer with its convolution, gate and norm.

    Args:
        d_model: number of features.
        d_state: states of each head's channels.
        head_dim: channels a head, a divisor of expand * d_model; the largest up to 64 by default.
        expand: inner features a feature.
        n_groups: groups of heads that share B and C; must divide the number of heads.
        d_conv: width of the short convolution.
        dt_limit: bounds on the step sizes.
        bias: where there are biases, one of `selective.BIASES`.

    Raises:
        ValueError: an argument is out of range, or does not divide what it should.
    """

    def __init__(
        self,
        d_model: int,
        d_state: int = 128,
        head_dim: int | None = None,
        expand: float = 2,
        n_groups: int = 1,
        d_conv: int = 4,
        dt_limit: tuple[float, float] = (0.0, math.inf),
        bias: str = "conv",
    ):
        super().__init__(d_model)
        check_d_state(d_state)
        inner = int(expand * d_model)
        heads = count_heads(inner, head_dim, n_groups)
        self.heads, self.groups, self.n, self.dt_limit = heads, n_groups, d_state, dt_limit
        filtered = inner + 2 * n_groups * d_state
        projections = has_bias(bias, "projections")
        self.in_proj = nn.Linear(d_model, inner + filtered + heads, projections)
        self.conv = ShortConvolution(filtered, d_conv, has_bias(bias, "conv"))
        self.norm = RMSNorm(inner, n_groups)
        self.out_proj = nn.Linear(inner, d_model, projections)
        self.declare_dynamics(torch.empty(heads).uniform_(1, 16), heads)

    def state_shape(self) -> tuple[int, int, int]:
        """A matrix of d_state x head_dim for each head."""
        return self.heads, self.n, self.out_proj.in_features // self.heads

    def prepare(self, u: Tensor, memory: tuple[Tensor, ...], timing: Timing) -> Prepared:
        """Project, convolve, and make the selective system."""
        inner, (m, n, p) = self.out_proj.in_features, self.state_shape()
        z, x, dt = self.in_proj(u).tensor_split((inner, -m), -1)
        x, tail = self.conv(x, memory, timing)
        x, B, C = x.split([inner, self.groups * n, self.groups * n], -1)
        with full_precision(u.device):
            dt = step_size(dt.to(self.dt_bias.dtype) + self.dt_bias, timing, self.dt_limit)
            B, C = (v.unflatten(-1, (self.groups, n)) for v in (B, C))
            if self.groups > 1:
                B, C = (v.repeat_interleave(m // self.groups, 2) for v in (B, C))
            A = Scalar(self.eigenvalues, n)
            continuous = Continuous(A, B, C, self.D[:, None].expand(m, p))
            system = continuous.select(mixed, dt[..., None])
        return Prepared(system, x.unflatten(-1, (m, p)), (tail,), (z,))

    def finish(self, y: Tensor, prepared: Prepared) -> Tensor:
        """Gate, normalise and project back."""
        return self.out_proj(self.norm(y.flatten(2) * silu(prepared.carry[0])))
