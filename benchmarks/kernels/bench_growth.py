"""Time and memory of a training step by its length, from a thousand steps to a million.

python benchmarks/kernels/bench_growth.py [--threads 1] [--runs 3]

A training step is an op, its gradients with respect to all inputs, and the gradient of its output
that it is given; one row, few channels, so that a million steps fit. Each op is first held to its
PyTorch path. The columns are nanoseconds of processor time a step; an op that is linear in the
length has the same number in each. Memory is the peak of the last column's training step, with
all arguments, as a multiple of what nobody can do without: inputs, output, and the gradients of
both.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch
from measure import agree, benchmark, medians, with_gradients
from torch import Tensor
from torch.nn.functional import normalize

from resolvent.kernels import (
    Selective,
    delta_rule,
    diagonal_mimo,
    diagonal_scan,
    diagonal_ssm,
    matrix_scan,
    selective_scan,
    using,
)

LENGTHS = (1_000, 10_000, 100_000, 1_000_000)
CHANNELS = STATES = 16

Op = Callable[..., Tensor]


def main() -> None:
    with benchmark(__doc__ or "", runs=3) as (runs, _):
        print(f"| op | {' | '.join(f'{length:,}' for length in LENGTHS)} | memory |")
        print("|---" * (len(LENGTHS) + 2) + "|")
        for name, (op, make) in ops().items():
            inputs = make(LENGTHS[0])
            with using("torch"):
                expected = op(*inputs)
            agree(op(*inputs), expected)
            times = []
            for length in LENGTHS:
                step = with_gradients(op, make(length))
                (taken,) = medians([step], runs, time.process_time)
                times.append(f"{1e6 * taken / length:.0f}")
            print(
                f"| {name} | {' | '.join(times)} | {_memory(op, make(LENGTHS[-1]))} |", flush=True
            )


def ops() -> dict[str, tuple[Op, Callable[[int], tuple[Tensor, ...]]]]:
    """Each op, and its inputs by their length."""
    m, n = CHANNELS, STATES
    spin = torch.polar(1 - 0.1 * torch.rand(m, n), 3 * torch.rand(m, n))

    def selective(l: int) -> tuple[Tensor, ...]:
        series = torch.randn(1, l, m), 0.1 * torch.rand(1, l, m), torch.randn(1, l, m)
        A = -torch.arange(1.0, n + 1).expand(m, n).clone()
        return *series, A, torch.randn(1, l, 1, n), torch.randn(1, l, 1, n)

    def keys(l: int) -> Tensor:
        return normalize(torch.randn(1, l, 2, n), dim=-1)

    def matrix(l: int) -> tuple[Tensor, ...]:
        return 1 - 0.1 * torch.rand(1, l, 2), keys(l), torch.randn(1, l, 2, n), keys(l)

    def delta(l: int) -> tuple[Tensor, ...]:
        a, k, v, q = matrix(l)
        return a, k[:, :, :, None], v[:, :, :, None], torch.rand(1, l, 2, 1), q

    return {
        "selective_scan": (
            lambda u, dt, z, A, B, C: selective_scan(Selective(A, B, C, dt), u, gate=z)[0],
            selective,
        ),
        "diagonal_ssm": (
            lambda *x: diagonal_ssm(*x)[0],
            lambda l: (spin, *torch.randn(2, m, n, dtype=spin.dtype), torch.randn(1, l, m)),
        ),
        "diagonal_mimo": (
            lambda *x: diagonal_mimo(*x)[0],
            lambda l: (spin[0], torch.randn(2 * n, m), torch.randn(m, 2 * n), torch.randn(1, l, m)),
        ),
        "diagonal_scan": (
            lambda *x: torch.view_as_real(diagonal_scan(*x)[0]),
            lambda l: (spin[0], torch.randn(1, l, n, dtype=spin.dtype)),
        ),
        "matrix_scan": (lambda *x: matrix_scan(*x)[0], matrix),
        "delta_rule": (lambda *x: delta_rule(*x)[0], delta),
    }


def _memory(op: Op, inputs: tuple[Tensor, ...]) -> str:
    """The peak of a training step over what it is made of, if the system tells of peaks."""
    status, reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not reset.exists():
        return "not known here"
    step = with_gradients(op, inputs)
    with torch.no_grad():
        y = op(*inputs)
    series = sum(x.numel() * x.element_size() for x in inputs)
    output = y.numel() * y.element_size()
    del y
    before = _kilobytes(status, "VmRSS")
    reset.write_text("5")  # the peak counts from here
    step()
    grown = 1024 * (_kilobytes(status, "VmHWM") - before)
    # inputs and the output's gradient were there before
    return f"{(grown + series + output) / (2 * (series + output)):.2f}"


def _kilobytes(status: Path, name: str) -> int:
    (line,) = (x for x in status.read_text().splitlines() if x.startswith(name + ":"))
    return int(line.split()[1])


if __name__ == "__main__":
    main()
