"""Measuring: calls that take turns, agreement before time, and what the machine can do at most."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor

CLOSE = 1e-4
"""Largest relative error of what is timed in float32: sums of thousands of products."""


class Machine(NamedTuple):
    """Measured limits: GB/s of a copy that fits no cache, GFLOP/s of a float32 matrix product."""

    bandwidth: float
    products: float


def limits() -> Machine:
    """The limits of this machine, with as many threads as PyTorch has."""
    x = torch.ones(1 << 26)
    y = torch.empty_like(x)
    (copy,) = medians([lambda: y.copy_(x)], runs=5)
    a = torch.randn(2048, 2048)
    (product,) = medians([lambda: a @ a], runs=5)
    return Machine(8 * x.numel() / copy / 1e6, 2 * 2048**3 / product / 1e6)


def processor() -> str:
    """What the processor calls itself."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


TURN = 0.3
"""Seconds that a turn takes at least."""

LONG = 3000.0
"""Milliseconds after which a call has been measured enough."""


def medians(
    calls: list[Callable[[], object]],
    runs: int,
    clock: Callable[[], float] = time.perf_counter,
) -> list[float]:
    """Median milliseconds of each call, after one that warms up.

    The clock gives seconds; `time.process_time` counts those of the processors.
    """
    for call in calls:
        call()
    return medians_of_turns([partial(turn, call, clock) for call in calls], runs)


def turn(call: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Median milliseconds of the calls that fit into a turn, without the first unless it is all.

    The first pays for what the one before left behind: sleeping threads, lost caches, and memory
    that is given back late.
    """
    end, times = time.perf_counter() + TURN, []
    while not times or time.perf_counter() < end:
        start = clock()
        call()
        times.append(1e3 * (clock() - start))
    return median(times[1:] or times)


def medians_of_turns(turns: list[Callable[[], float]], runs: int) -> list[float]:
    """Medians of what each of some measurements finds, in milliseconds.

    They take turns, so that all see the same weather; one that takes seconds comes less often.
    """
    samples: list[list[float]] = [[] for _ in turns]
    for _ in range(runs):
        for turn, sample in zip(turns, samples, strict=True):
            if sum(sample) <= LONG:
                sample.append(turn())
    return [median(x) for x in samples]


def differentiable(inputs: tuple[Tensor, ...]) -> list[Tensor]:
    """Inputs that gradients can be asked of; parameters stay what they are."""
    return [x if x.requires_grad or not _real(x) else x.detach().requires_grad_() for x in inputs]


def with_gradients(
    op: Callable[..., Tensor], inputs: tuple[Tensor, ...]
) -> Callable[[], tuple[Tensor, ...]]:
    """The op and the gradients of all its inputs, as a call without arguments."""
    arguments = differentiable(inputs)
    leaves = [x for x in arguments if x.requires_grad]
    with torch.no_grad():
        y = op(*inputs)
    weight = loss_weight(y.shape).to(y.dtype)
    return lambda: torch.autograd.grad(op(*arguments), leaves, weight, materialize_grads=True)


def loss_weight(shape: Sequence[int]) -> Tensor:
    """What outputs of a shape are weighted by in the loss, the same in every precision."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def without_gradients(
    op: Callable[..., Tensor], inputs: tuple[Tensor, ...]
) -> Callable[[], Tensor]:
    """The op alone, as a call without arguments."""

    def call() -> Tensor:
        with torch.no_grad():
            return op(*inputs)

    return call


def error(found: Tensor, expected: Tensor) -> float:
    """Norm of the difference, relative to what is expected."""
    expected = expected.to(found.dtype)
    size = expected.norm().item()
    difference = (found - expected).norm().item()
    return difference / size if size else difference


def agree(found: Tensor, expected: Tensor, close: float = CLOSE) -> None:
    """Refuses to go on where the results differ.

    Raises:
        ArithmeticError: they do, by more than ``close``.
    """
    wrong = error(found, expected)
    if not wrong <= close:
        raise ArithmeticError(f"wrong by {wrong:.1e}: not timed")


def _real(x: Tensor) -> bool:
    return x.is_floating_point() or x.is_complex()
