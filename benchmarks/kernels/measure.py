"""What the benchmarks of the kernels share: taking turns, gradients, gates and machine limits."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor

from resolvent.kernels import using


class Machine(NamedTuple):
    """Measured limits: GB/s of a copy that fits no cache, GFLOP/s of a float32 matrix product."""

    bandwidth: float
    products: float


@contextmanager
def benchmark(about: str, runs: int) -> Iterator[tuple[int, Machine]]:
    """Reads --threads, --runs and --backend, prints where it runs; gives runs and limits."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--runs", type=int, default=runs)
    parser.add_argument("--backend", default="auto")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    with using(args.backend) as backend:
        machine = Machine(*limits())
        print(f"torch {torch.__version__}, {args.threads} threads, backend {backend.name}")
        print(f"load of the machine before: {os.getloadavg()[0]:.1f}")
        print(
            f"limits: copy {machine.bandwidth:.1f} GB/s, "
            f"matrix product {machine.products:.0f} GFLOP/s\n"
        )
        yield args.runs, machine


def limits() -> tuple[float, float]:
    """Measured GB/s of a copy that fits no cache, and GFLOP/s of a float32 matrix product."""
    x = torch.ones(1 << 26)
    y = torch.empty_like(x)
    (copy,) = medians([lambda: y.copy_(x)], runs=5)
    a = torch.randn(2048, 2048)
    (product,) = medians([lambda: a @ a], runs=5)
    return 8 * x.numel() / copy / 1e6, 2 * 2048**3 / product / 1e6


def medians(calls: list[Callable[[], object]], runs: int) -> list[float]:
    """Median milliseconds of each call; the calls take turns, so that all see the same weather."""
    samples: list[list[float]] = [[] for _ in calls]
    for turn in range(runs + 1):
        for call, sample in zip(calls, samples, strict=True):
            start = time.perf_counter()
            call()
            if turn:
                sample.append(1e3 * (time.perf_counter() - start))
    return [median(x) for x in samples]


def with_gradients(op: Callable[..., Tensor], inputs: tuple[Tensor, ...]) -> Callable[[], object]:
    leaves = [x.detach().requires_grad_() for x in inputs]
    weight = torch.randn_like(op(*inputs))
    return lambda: torch.autograd.grad(op(*leaves), leaves, weight)


def without_gradients(
    op: Callable[..., Tensor], inputs: tuple[Tensor, ...]
) -> Callable[[], object]:
    return lambda: op(*inputs)


def agree(ours: Tensor, theirs: Tensor) -> None:
    error = ((ours - theirs).norm() / theirs.norm()).item()
    if not error < 1e-4:
        raise SystemExit(f"wrong by {error:.1e}: not timed")
