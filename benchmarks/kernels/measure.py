"""What a script that measures shares: its arguments, where it runs, and the package's measures."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from resolvent.bench import Machine, heading, limits, medians
from resolvent.bench.measure import agree, medians_of_turns, with_gradients, without_gradients
from resolvent.kernels import using

__all__ = [
    "Machine",
    "agree",
    "benchmark",
    "limits",
    "medians",
    "medians_of_turns",
    "with_gradients",
    "without_gradients",
]


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
        machine = limits()
        print(heading(machine, backend.name) + "\n")
        yield args.runs, machine
