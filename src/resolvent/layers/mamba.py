"""Mamba (Gu & Dao 2023, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces").

x, z = W_in u                                   d_inner = expand * d_model features each
x = SiLU(conv(x))                               a short causal convolution a feature
s, B, C = W_x x                                 s of rank dt_rank; B and C shared by all features
dt = softplus(W_dt s + b_dt)                    a step size a feature and step
h_t = exp(dt_t A) h_{t-1} + dt_t B_t x_t        A = -exp(A_log), real, diagonal (algorithm 2)
y_t = C_t h_t + D x_t
out = W_out (y * SiLU(z))
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import rms_norm

from resolvent.discretize import mixed, signed
from resolvent.layers.base import Prepared, Timing, full_precision
from resolvent.layers.convolution import ShortConvolution
from resolvent.layers.modal import check_d_state
from resolvent.layers.selective import SelectiveLayer, has_bias, step_size
from resolvent.structure import Diagonal
from resolvent.system import Continuous


class Mamba(SelectiveLayer):
    """The selective state-space layer S6 with its convolution and gate.

    Args:
        d_model: number of features.
        d_state: states of each inner feature.
        expand: inner features a feature.
        d_conv: width of the short convolution.
        dt_rank: rank of the step sizes' projection; d_model / 16, rounded up, by default.
        bias: where there are biases, one of `selective.BIASES`.
        norm_eps: None, or the eps of a norm without weights on s, B and C (FalconMamba, Zuo et al.
            2024).
        eigenvalue_range: (0, 1), or (-1, 1) for eigenvalues 2 exp(dt A) - 1 (Grazzi et al. 2025).

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        d_model: int,
        d_state: int = 16,
        expand: float = 2,
        d_conv: int = 4,
        dt_rank: int | None = None,
        bias: str = "conv",
        norm_eps: float | None = None,
        eigenvalue_range: tuple[int, int] = (0, 1),
    ):
        super().__init__(d_model)
        check_d_state(d_state)
        if tuple(eigenvalue_range) not in ((0, 1), (-1, 1)):
            raise ValueError(f"eigenvalue_range: must be (0, 1) or (-1, 1), got {eigenvalue_range}")
        self.rule = mixed if eigenvalue_range[0] == 0 else signed
        self.norm_eps = norm_eps
        inner = int(expand * d_model)
        rank = math.ceil(d_model / 16) if dt_rank is None else dt_rank
        projections = has_bias(bias, "projections")
        self.in_proj = nn.Linear(d_model, 2 * inner, projections)
        self.conv = ShortConvolution(inner, d_conv, has_bias(bias, "conv"))
        self.x_proj = nn.Linear(inner, rank + 2 * d_state, False)
        self.dt_proj = nn.Linear(rank, inner, False)
        nn.init.uniform_(self.dt_proj.weight, -(rank**-0.5), rank**-0.5)
        self.out_proj = nn.Linear(inner, d_model, projections)
        self.declare_dynamics(torch.arange(1, d_state + 1).expand(inner, -1), inner)  # S4D-Real

    def state_shape(self) -> tuple[int, int, int]:
        """d_state states for each inner feature."""
        inner, n = self.A_log.shape
        return inner, n, 1

    def selection_maps(self) -> tuple[Tensor, Tensor]:
        """Maps S_B and S_C (n, inner) from what is scanned to B and C."""
        n = self.A_log.shape[1]
        return self.x_proj.weight[-2 * n : -n], self.x_proj.weight[-n:]

    def prepare(self, u: Tensor, memory: tuple[Tensor, ...], timing: Timing) -> Prepared:
        """Project, convolve, and make the selective system."""
        x, z = self.in_proj(u).chunk(2, -1)
        x, tail = self.conv(x, memory, timing)
        with full_precision(u.device):  # the selection decides what is remembered
            inner, n = self.A_log.shape
            low, B, C = self.x_proj(x).split([self.dt_proj.in_features, n, n], -1)
            if self.norm_eps is not None:
                low, B, C = (rms_norm(v, v.shape[-1:], eps=self.norm_eps) for v in (low, B, C))
            dt, bias = self.dt_proj(low), self.dt_bias[:, None]
            if timing.dt is not None:
                dt, bias = step_size(dt + self.dt_bias, timing), None
            A = Diagonal(self.eigenvalues)
            continuous = Continuous(A, B[:, :, None], C[:, :, None], self.D[:, None])
            system = continuous.select(self.rule, dt[..., None], bias)
        return Prepared(system, x[..., None], (tail,), gate=z[..., None])

    def finish(self, y: Tensor, prepared: Prepared) -> Tensor:
        """Project the gated output back."""
        return self.out_proj(y.squeeze(-1))
