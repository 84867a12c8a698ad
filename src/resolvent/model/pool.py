"""Pooling over time, causally: what a prediction is made from after every step.

A pool keeps a state, so that the pooled features of a stream equal those of the whole sequence.
Resets restart it: steps before a row's latest reset no longer count.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.nn.functional import pad

PoolState = tuple[Tensor, ...]


class Pool(ABC):
    """Pools features y (b, l, d) that are 0 beyond a row's length; has no parameters.

    Attributes:
        parts: how many numbers are made of each feature: pooled features are (b, parts * d).
    """

    parts = 1

    @abstractmethod
    def initial_state(self, like: Tensor) -> PoolState:
        """State before the first step, for rows like those of ``like`` (b, d)."""

    @abstractmethod
    def step(self, y: Tensor, state: PoolState) -> tuple[Tensor, PoolState]:
        """One more step y (b, d): pooled (b, d), new state."""

    @abstractmethod
    def final(
        self, y: Tensor, state: PoolState, resets: Tensor | None, lengths: Tensor | None
    ) -> tuple[Tensor, PoolState]:
        """Pooled features (b, d) after each row's last step of y (b, l, d), new state."""

    @abstractmethod
    def prefixes(self, y: Tensor, state: PoolState, resets: Tensor | None) -> Tensor:
        """Pooled features (b, l, d) after every step of y (b, l, d)."""


class Last(Pool):
    """The features of the latest step; the state is that step's features (b, d)."""

    def initial_state(self, like: Tensor) -> PoolState:
        """Zeros."""
        return (torch.zeros_like(like),)

    def step(self, y: Tensor, state: PoolState) -> tuple[Tensor, PoolState]:
        """The step itself."""
        return y, (y,)

    def final(
        self, y: Tensor, state: PoolState, resets: Tensor | None, lengths: Tensor | None
    ) -> tuple[Tensor, PoolState]:
        """The last real step of each row; a row without steps keeps what it had."""
        steps = _steps(y, lengths)
        padded = torch.cat([state[0][:, None], y], 1)
        last = padded[torch.arange(len(y), device=y.device), steps]
        return last, (last,)

    def prefixes(self, y: Tensor, state: PoolState, resets: Tensor | None) -> Tensor:
        """The steps themselves."""
        return y


class Mean(Pool):
    """The mean over all steps so far; the state is that mean (b, d) and the steps' number (b,).

    The mean and not the sum: in float32 a sum no longer grows after some 2^24 steps.
    """

    def initial_state(self, like: Tensor) -> PoolState:
        """No steps."""
        return torch.zeros_like(like), torch.zeros(len(like), dtype=torch.long, device=like.device)

    def step(self, y: Tensor, state: PoolState) -> tuple[Tensor, PoolState]:
        """The mean that includes y."""
        mean, count = state[0], state[1] + 1
        mean = mean + (y - mean) / count[:, None]
        return mean, (mean, count)

    def final(
        self, y: Tensor, state: PoolState, resets: Tensor | None, lengths: Tensor | None
    ) -> tuple[Tensor, PoolState]:
        """The mean over each row's real steps since its latest reset."""
        (mean, count), steps = state, _steps(y, lengths)
        if resets is not None and y.shape[1]:
            time = torch.arange(y.shape[1], device=y.device)
            start = _latest_reset(resets & (time < steps[:, None]))[:, -1]
            y = torch.where((time >= start[:, None])[..., None], y, torch.zeros_like(y))
            steps = steps - start.clamp(min=0)
            mean, count = _unless_reset(start, mean, count)
        count = count + steps
        excess = y.sum(1, dtype=mean.dtype) - steps[:, None] * mean
        mean = mean + excess / count.clamp(min=1)[:, None]
        return mean, (mean, count)

    def prefixes(self, y: Tensor, state: PoolState, resets: Tensor | None) -> Tensor:
        """The means over the steps up to each one, since the latest reset before it."""
        mean, count = state[0][:, None], state[1][:, None]
        steps = torch.arange(1, y.shape[1] + 1, device=y.device)
        sums = y.cumsum(1, dtype=torch.float64)  # of which differences are taken
        if resets is not None and y.shape[1]:
            start = _latest_reset(resets)
            row = torch.arange(len(y), device=y.device)[:, None]
            sums = sums - pad(sums, (0, 0, 1, 0))[row, start.clamp(min=0)]
            steps = steps - start.clamp(min=0)
            mean, count = _unless_reset(start, mean, count)
        excess = sums.to(mean.dtype) - steps[..., None] * mean
        return mean + excess / (count + steps)[..., None]


class Max(Pool):
    """The largest value so far of each feature; the state is that (b, d), -inf before any step."""

    def initial_state(self, like: Tensor) -> PoolState:
        """No steps."""
        return (torch.full_like(like, -torch.inf),)

    def step(self, y: Tensor, state: PoolState) -> tuple[Tensor, PoolState]:
        """The maximum with y."""
        highest = torch.maximum(state[0], y)
        return highest, (highest,)

    def final(
        self, y: Tensor, state: PoolState, resets: Tensor | None, lengths: Tensor | None
    ) -> tuple[Tensor, PoolState]:
        """The maximum over each row's real steps since its latest reset; 0 without any."""
        highest = state[0]
        if resets is not None or lengths is not None:
            time, steps = torch.arange(y.shape[1], device=y.device), _steps(y, lengths)[:, None]
            kept = time < steps
            if resets is not None and y.shape[1]:
                start = _latest_reset(resets & kept)[:, -1:]
                kept, highest = kept & (time >= start), _lowest_if(start >= 0, highest)
            y = _lowest_if(~kept[..., None], y)
        highest = torch.cat([highest[:, None], y], 1).amax(1)
        return torch.where(highest == -torch.inf, torch.zeros_like(highest), highest), (highest,)

    def prefixes(self, y: Tensor, state: PoolState, resets: Tensor | None) -> Tensor:
        """The maxima over the steps up to each one, since the latest reset before it."""
        highest = torch.cat([state[0][:, None], y], 1)
        if resets is None:
            return highest.cummax(1).values[:, 1:]
        start = _latest_reset(pad(resets, (1, 0)))  # in the time of `highest`
        time, ahead = torch.arange(highest.shape[1], device=y.device), 1
        while ahead < highest.shape[1]:  # maxima of 2, 4, 8, ... steps that no reset divides
            earlier = pad(highest, (0, 0, ahead, 0), value=-torch.inf)[:, : len(time)]
            inside = time - ahead >= start.clamp(min=0)
            highest = torch.maximum(highest, _lowest_if(~inside[..., None], earlier))
            ahead *= 2
        return highest[:, 1:]


class MeanMax(Pool):
    """Mean and maximum, one after the other: (b, 2 d).

    How much of a feature there was, and whether there was any at one moment, are different
    questions of a long series (both are asked of convolutions by Dempster et al. 2020, ROCKET).
    """

    parts = 2

    def __init__(self):
        self.mean, self.max = Mean(), Max()

    def initial_state(self, like: Tensor) -> PoolState:
        """Those of both: mean, number of steps, maximum."""
        return (*self.mean.initial_state(like), *self.max.initial_state(like))

    def step(self, y: Tensor, state: PoolState) -> tuple[Tensor, PoolState]:
        """Both with y."""
        mean, first = self.mean.step(y, state[:2])
        highest, second = self.max.step(y, state[2:])
        return torch.cat([mean, highest], -1), (*first, *second)

    def final(
        self, y: Tensor, state: PoolState, resets: Tensor | None, lengths: Tensor | None
    ) -> tuple[Tensor, PoolState]:
        """Both over each row's real steps since its latest reset."""
        mean, first = self.mean.final(y, state[:2], resets, lengths)
        highest, second = self.max.final(y, state[2:], resets, lengths)
        return torch.cat([mean, highest], -1), (*first, *second)

    def prefixes(self, y: Tensor, state: PoolState, resets: Tensor | None) -> Tensor:
        """Both over the steps up to each one, since the latest reset before it."""
        parts = self.mean.prefixes(y, state[:2], resets), self.max.prefixes(y, state[2:], resets)
        return torch.cat(parts, -1)


POOLS: dict[str, type[Pool]] = {"mean": Mean, "last": Last, "max": Max, "mean_max": MeanMax}


def make_pool(pool: str) -> Pool:
    """The pool named ``pool``, one of ``POOLS``.

    Raises:
        ValueError: the name is unknown.
    """
    if pool not in POOLS:
        raise ValueError(f"pool: {pool!r} is unknown; choose one of {', '.join(POOLS)}")
    return POOLS[pool]()


def _steps(y: Tensor, lengths: Tensor | None) -> Tensor:
    if lengths is not None:
        return lengths.long()
    return torch.full((y.shape[0],), y.shape[1], device=y.device)


def _latest_reset(resets: Tensor) -> Tensor:
    """Index (b, l) of the latest reset at or before each step; -1 where there was none."""
    time = torch.arange(resets.shape[1], device=resets.device)
    return torch.where(resets, time, torch.full_like(time, -1)).cummax(1).values


def _unless_reset(start: Tensor, mean: Tensor, count: Tensor) -> PoolState:
    """The carried mean (..., d) and number (...), forgotten where there is a latest reset."""
    kept = start < 0
    return torch.where(kept[..., None], mean, torch.zeros_like(mean)), count * kept


def _lowest_if(out: Tensor, y: Tensor) -> Tensor:
    """y, but -inf where it is out of consideration."""
    return torch.where(out, torch.full_like(y, -torch.inf), y)
