"""The diagonal recurrences beside what PyTorch offers, and beside what the machine can do.

python benchmarks/kernels/bench_diagonal.py [--threads 2] [--runs 7] [--backend auto]

Every op is first held to its peer's numbers; a wrong one is not timed. Times are medians of runs
that take turns, in milliseconds, forward and forward + backward; float32. Peers:

- FFT: u * K by torch.fft, with the kernel K given.
- S4D: K from a Vandermonde product in PyTorch, then the FFT; what s4d.py of state-spaces/s4 does.
- loop: the recurrence in PyTorch operations, one step at a time.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor

from resolvent.kernels import diagonal_scan, diagonal_ssm, using

SSM_SHAPES = [  # b, l, m, n
    (8, 1024, 128, 32),
    (8, 4096, 128, 32),
    (8, 16384, 128, 32),
    (1, 1024, 128, 32),
    (1, 16384, 128, 32),
    (16, 1024, 8, 4),
]
SCAN_SHAPES = [(8, 4096, 32), (8, 4096, 256), (1, 16384, 64)]  # b, l, n
LOOP_LONGEST = 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--backend", default="auto")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    with using(args.backend) as backend:
        bandwidth, products = limits()
        print(f"torch {torch.__version__}, {args.threads} threads, backend {backend.name}")
        print(f"load of the machine before: {os.getloadavg()[0]:.1f}")
        print(f"limits: copy {bandwidth:.1f} GB/s, matrix product {products:.0f} GFLOP/s\n")
        ssm_table(args.runs, products)
        scan_table(args.runs, bandwidth)


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


def s4d(m: int, n: int) -> tuple[Tensor, Tensor, Tensor]:
    """a, b, c of S4D-Lin with step sizes from 0.001 to 0.1."""
    A = torch.complex(torch.full((n,), -0.5), math.pi * torch.arange(n))
    a = torch.exp(A * torch.exp(torch.empty(m, 1).uniform_(math.log(1e-3), math.log(1e-1))))
    return a, (a - 1) / A, torch.randn(m, n, dtype=torch.complex64)


def kernel(a: Tensor, b: Tensor, c: Tensor, length: int) -> Tensor:
    powers = torch.exp(torch.log(a)[..., None] * torch.arange(length))
    return 2 * torch.einsum("mn,mnl->lm", b * c, powers).real


def fft_convolution(K: Tensor, u: Tensor) -> Tensor:
    size = 2 * u.shape[1]
    product = torch.fft.rfft(u, size, dim=1) * torch.fft.rfft(K, size, dim=0)
    return torch.fft.irfft(product, size, dim=1)[:, : u.shape[1]]


def loop(a: Tensor, b: Tensor, c: Tensor, u: Tensor) -> Tensor:
    h = torch.zeros(u.shape[0], *a.shape, dtype=a.dtype)
    y = []
    for u_t in u.unbind(1):
        h = a * h + b * u_t[..., None]
        y.append(2 * (c * h).sum(-1).real)
    return torch.stack(y, 1)


def scan_loop(a: Tensor, x: Tensor) -> Tensor:
    h, states = torch.zeros_like(x[:, 0]), []
    for a_t, x_t in zip(a.expand_as(x).unbind(1), x.unbind(1), strict=True):
        h = a_t * h + x_t
        states.append(h)
    return torch.stack(states, 1)


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


def ssm_table(runs: int, products: float) -> None:
    print("diagonal_ssm. Times of the peers are multiples of ours; 'reached' is the forward pass's")
    print("8 l m n b multiplications and additions a mode against the matrix product.\n")
    print("| b, l, m, n | pass | ours ms | reached | FFT | S4D | loop |")
    print("|---|---|---|---|---|---|---|")
    for b, l, m, n in SSM_SHAPES:
        system, u = s4d(m, n), torch.randn(b, l, m)
        K = kernel(*system, l)
        ops = {
            "ours": (lambda *x: diagonal_ssm(*x)[0], (*system, u)),
            "FFT": (fft_convolution, (K, u)),
            "S4D": (
                lambda a, b, c, u: fft_convolution(kernel(a, b, c, u.shape[1]), u),
                (*system, u),
            ),
        }
        if l <= LOOP_LONGEST:
            ops["loop"] = (loop, (*system, u))
        agree(ops["ours"][0](*system, u), fft_convolution(K, u))
        for name, make in (("forward", without_gradients), ("both", with_gradients)):
            times = dict(zip(ops, medians([make(*x) for x in ops.values()], runs), strict=True))
            ours = times["ours"]
            # a complex mode and step: 4 products for a h, 1 for b u, 2 for c h, as multiply-adds
            reached = 14 * b * l * m * n / ours / 1e6 / products
            peers = " | ".join(
                f"{times[x] / ours:.1f}" if x in times else "" for x in ("FFT", "S4D", "loop")
            )
            share = f"{reached:.0%}" if name == "forward" else ""
            print(f"| {b}, {l}, {m}, {n} | {name} | {ours:.2f} | {share} | {peers} |")
    print()


def scan_table(runs: int, bandwidth: float) -> None:
    print(
        "diagonal_scan, complex, decays for every step; 'reached' is the numbers read and written"
    )
    print("once, against the copy (more than 100%: they were in a cache).\n")
    print("| b, l, n | pass | ours ms | reached | loop |")
    print("|---|---|---|---|---|")
    for b, l, n in SCAN_SHAPES:
        a = torch.polar(torch.rand(b, l, n), 6 * torch.rand(b, l, n))
        x = torch.randn(b, l, n, dtype=torch.complex64)
        ours = lambda *inputs: diagonal_scan(*inputs)[0]  # noqa: E731
        agree(ours(a, x), scan_loop(a, x))
        for name, make, arrays in (("forward", without_gradients, 3), ("both", with_gradients, 8)):
            fast, slow = medians([make(ours, (a, x)), make(scan_loop, (a, x))], min(runs, 3))
            reached = arrays * 8 * x.numel() / fast / 1e6 / bandwidth
            print(f"| {b}, {l}, {n} | {name} | {fast:.2f} | {reached:.0%} | {slow / fast:.1f} |")


if __name__ == "__main__":
    main()
