"""What selective layers share: a short convolution, step sizes by softplus, the gated norm."""

from __future__ import annotations

import math
from abc import abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resolvent.initialize import timescale
from resolvent.layers.base import Layer, Timing
from resolvent.layers.convolution import ShortConvolution
from resolvent.layers.mixer import WholeMixer, needed, positive_quotient
from resolvent.layers.modal import seeded_generator
from resolvent.layers.state import State
from resolvent.system import Discrete

DT_FLOOR = 1e-4
"""Smallest initial step size, as published."""

BIASES = ("none", "conv", "projections", "all")
"""Where a selective layer has biases; published models have them in the convolution alone."""


class Selection(WholeMixer):
    """A layer whose step sizes depend on the input: the parameters that are declared alike."""

    def declare_dynamics(self, A: Tensor | None, n: int, skip: bool = True) -> None:
        """Parameters of n step sizes (and skips), and of eigenvalues that start at -A; no decay.

        The biases' softplus is log-uniform between 0.001 and 0.1, as published. Without A the
        eigenvalues depend on the input.
        """
        dt = timescale.log_uniform(n, rng=seeded_generator()).clip(min=DT_FLOOR)
        self.declare("dt_bias", torch.from_numpy(timescale.inverse_softplus(dt)), None, 0.0)
        if A is not None:
            self.declare("A_log", A.log(), None, 0.0)
        if skip:
            self.declare("D", torch.ones(n), None, 0.0)

    @property
    def eigenvalues(self) -> Tensor:
        """-exp(A_log): in the open left half-plane whatever is learned."""
        return -self.A_log.exp()


class SelectiveLayer(Selection, Layer):
    """A layer whose system depends on its input; the memory is what convolutions keep."""

    @abstractmethod
    def state_shape(self) -> tuple[int, int, int]:
        """Shape (m, n, p) of one row's recurrent state."""

    def system(self, u: Tensor | None = None, dt: Tensor | None = None) -> Discrete:
        """The system run on u (b, l, d_model).

        Raises:
            TypeError: u is missing.
        """
        return self.prepare(needed(self, u), (), Timing(dt=dt)).system

    def initial_state(
        self,
        batch_size: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> State:
        """Zeros, for the system and for the tails of the layer's convolutions."""
        h = next(self.parameters()).new_zeros(batch_size, *self.state_shape())
        convolutions = [x for x in self.children() if isinstance(x, ShortConvolution)]
        tails = [x.initial_tail(batch_size) for x in convolutions]
        h, *memory = (x.to(device=device, dtype=dtype) for x in (h, *tails))
        return State(h, tuple(memory))


class RMSNorm(nn.Module):
    """x / sqrt(mean x² + eps) * weight, over groups of features (Zhang & Sennrich 2019).

    Args:
        d: number of features.
        groups: groups of equal size, each normalised on its own; must divide d.
        eps: added to the mean square.
    """

    def __init__(self, d: int, groups: int = 1, eps: float = 1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d))
        self.groups = groups
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalise x (..., d)."""
        parts = x.unflatten(-1, (self.groups, -1))
        return F.rms_norm(parts, parts.shape[-1:], eps=self.eps).flatten(-2) * self.weight


def count_heads(inner: int, head_dim: int | None, n_groups: int) -> int:
    """How many heads of head_dim channels, the largest divisor up to 64 by default, there are.

    Raises:
        ValueError: head_dim does not divide the inner features, or n_groups the heads.
    """
    if head_dim is None:
        head_dim = max(p for p in range(1, 65) if inner % p == 0)
    heads = positive_quotient("head_dim", inner, head_dim, "the inner features")
    positive_quotient("n_groups", heads, n_groups, "the heads")
    return heads


def step_size(raw: Tensor, timing: Timing, limit: tuple[float, float] = (0.0, math.inf)) -> Tensor:
    """Softplus of raw (b, l, m) within limits, scaled by the factors of irregular time."""
    dt = F.softplus(raw)
    if tuple(limit) != (0.0, math.inf):
        dt = dt.clamp(*limit)
    return dt if timing.dt is None else dt * timing.dt.to(dt.dtype)[..., None]


def has_bias(bias: str, where: str) -> bool:
    """Whether ``bias``, one of BIASES, includes ``where``, "conv" or "projections".

    Raises:
        ValueError: bias is unknown.
    """
    if bias not in BIASES:
        raise ValueError(f"bias: {bias!r} is unknown; choose one of {', '.join(BIASES)}")
    return bias in (where, "all")
