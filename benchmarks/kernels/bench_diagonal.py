"""The diagonal recurrences beside what PyTorch offers, and beside what the machine can do.

python benchmarks/kernels/bench_diagonal.py [--threads 2] [--runs 7] [--backend auto]

Every op is first held to its peer's numbers; a wrong one is not timed. Times are medians of runs
that take turns, in milliseconds, forward and forward + backward; float32. Peers:

- FFT: u * K by torch.fft, with the kernel K given.
- S4D: K from a Vandermonde product in PyTorch, then the FFT; what s4d.py of state-spaces/s4 does.
- loop: the recurrence in PyTorch operations, one step at a time.
"""

from __future__ import annotations

import math

import torch
from measure import agree, benchmark, medians, with_gradients, without_gradients
from torch import Tensor

from resolvent.kernels import diagonal_scan, diagonal_ssm

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
    with benchmark(__doc__ or "", runs=7) as (runs, machine):
        ssm_table(runs, machine.products)
        scan_table(runs, machine.bandwidth)


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
