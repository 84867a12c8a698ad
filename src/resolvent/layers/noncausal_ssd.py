"""Non-causal SSD (Shi et al. 2024, "VSSD: Vision Mamba with Non-Causal State Space Duality").

z, x, B, C, dt = W_in u                         as in Mamba-2
x, B, C = SiLU(conv(x, B, C))                   a short convolution, centred on each step
dt = softplus(dt + b_dt)
S = sum_t |A| dt_t B_t x_t^T                    one state (n x p) a head for the whole sequence
y_t = C_t^T S + D x_t                           the same sum for every t: order does not matter
out = W_out (LayerNorm(y) * z)

The decay between steps is dropped, and its size is what a step weighs. The cost is linear in the
length; without the convolution a permutation of the input permutes the output.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from resolvent.layers.convolution import ShortConvolution
from resolvent.layers.mixer import Timing, full_precision
from resolvent.layers.modal import check_d_state
from resolvent.layers.selective import Selection, count_heads, step_size
from resolvent.layers.state import State
from resolvent.topology.padding import real_steps, zero_padding


class NonCausalSSD(Selection):
    """The state-space-dual layer without an order of time.

    Args:
        d_model: number of features.
        d_state: states of each head's channels.
        head_dim: channels a head, a divisor of expand * d_model; the largest up to 64 by default.
        expand: inner features a feature.
        n_groups: groups of heads that share B and C; must divide the number of heads.
        d_conv: odd width of the short convolution; 1: each step by itself.

    Raises:
        ValueError: an argument is out of range, or does not divide what it should.
    """

    def __init__(
        self,
        d_model: int,
        d_state: int = 64,
        head_dim: int | None = None,
        expand: float = 2,
        n_groups: int = 1,
        d_conv: int = 3,
    ):
        super().__init__(d_model)
        check_d_state(d_state)
        if not isinstance(d_conv, int) or d_conv < 1 or d_conv % 2 == 0:
            raise ValueError(f"d_conv: must be an odd positive integer, got {d_conv!r}")
        inner = int(expand * d_model)
        self.heads, self.groups, self.n = count_heads(inner, head_dim, n_groups), n_groups, d_state
        filtered = inner + 2 * n_groups * d_state
        self.in_proj = nn.Linear(d_model, inner + filtered + self.heads, False)
        self.conv = ShortConvolution(filtered, d_conv)
        self.norm = nn.LayerNorm(inner)
        self.out_proj = nn.Linear(inner, d_model, False)
        self.declare_dynamics(torch.empty(self.heads).uniform_(1, 16), self.heads)

    def mix(self, u: Tensor, state: State | None, timing: Timing) -> tuple[Tensor, None]:
        """Sum over each row, or over each part of it between resets."""
        return self.apart(self._sum, u, timing), None

    def _sum(self, u: Tensor, timing: Timing) -> Tensor:
        """The layer on rows u (b, l, d_model) without resets."""
        inner, m, real = self.out_proj.in_features, self.heads, None
        if timing.lengths is not None:
            real = real_steps(timing.lengths, u.shape[1])
        with full_precision(u.device):
            u = zero_padding(u, real).to(self.dt_bias.dtype)
            z, x, dt = self.in_proj(u).tensor_split((inner, -m), -1)
            ahead = (self.conv.weight.shape[1] - 1) // 2
            x = self.conv(pad(x, (0, 0, 0, ahead)), (), Timing())[0][:, ahead:]
            x, B, C = x.split([inner, self.groups * self.n, self.groups * self.n], -1)
            weight = -self.eigenvalues * step_size(dt + self.dt_bias, timing)
            x = x.unflatten(-1, (self.groups, m // self.groups, -1))
            B, C = (v.unflatten(-1, (self.groups, self.n)) for v in (B, C))
            written = x * zero_padding(weight, real).view(*x.shape[:-1], 1)
            S = torch.einsum("blgn,blgmp->bgmnp", B, written)
            y = torch.einsum("blgn,bgmnp->blgmp", C, S).flatten(2, 3)
            y = y + self.D[:, None] * x.flatten(2, 3)
            return self.out_proj(self.norm(y.flatten(2)) * z)
