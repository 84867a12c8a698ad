"""What selective layers share: a short convolution, step sizes by softplus, the gated norm."""

from __future__ import annotations

import math
from abc import abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resolvent.initialize import timescale
from resolvent.layers.base import Layer, Timing
from resolvent.layers.modal import seeded_generator
from resolvent.layers.state import State
from resolvent.system import Discrete

DT_FLOOR = 1e-4
"""Smallest initial step size, as published."""

BIASES = ("none", "conv", "projections", "all")
"""Where a selective layer has biases; published models have them in the convolution alone."""


class SelectiveLayer(Layer):
    """A layer whose system depends on its input; the memory is what convolutions keep."""

    @abstractmethod
    def state_shape(self) -> tuple[int, int, int]:
        """Shape (m, n, p) of one row's recurrent state."""

    def initial_memory(self, batch_size: int) -> tuple[Tensor, ...]:
        """What `prepare` keeps, before the first step; nothing by default."""
        return ()

    def system(self, u: Tensor | None = None, dt: Tensor | None = None) -> Discrete:
        """The system run on u (b, l, d_model).

        Raises:
            TypeError: u is missing.
        """
        if u is None:
            raise TypeError(f"u: the system of {type(self).__name__} depends on its input; give it")
        return self.prepare(u, (), Timing(dt=dt)).system

    def initial_state(
        self,
        batch_size: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> State:
        """Zeros."""
        like = next(self.parameters())
        h = like.new_zeros(batch_size, *self.state_shape())
        memory = tuple(x.to(device=device, dtype=dtype) for x in self.initial_memory(batch_size))
        return State(h.to(device=device, dtype=dtype), memory)


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


def initial_dt_bias(n: int, dt_min: float = 1e-3, dt_max: float = 1e-1) -> Tensor:
    """Biases whose softplus is log-uniform between dt_min and dt_max, but at least DT_FLOOR."""
    dt = timescale.log_uniform(n, dt_min, dt_max, seeded_generator()).clip(min=DT_FLOOR)
    return torch.from_numpy(timescale.inverse_softplus(dt))


def negative_exponential(log: Tensor) -> Tensor:
    """Real eigenvalues -exp(log): in the open left half-plane whatever is learned."""
    return -log.exp()


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
