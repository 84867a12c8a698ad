"""The cases of each op: sizes of real models, and what PyTorch offers in its place."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn.functional import normalize

from resolvent.bench import loops
from resolvent.bench.case import Call, Case
from resolvent.kernels import (
    Selective,
    delta_rule,
    diagonal_mimo,
    diagonal_scan,
    diagonal_ssm,
    long_convolution,
    matrix_scan,
    selective_scan,
    short_convolution,
    zoh,
)

LOOP_LONGEST = 2048
"""Steps above which a loop in PyTorch operations is left out."""

LOOP_LARGEST = 1 << 26
"""Numbers of all states above which it is left out too: its backward pass keeps them."""


def sizes(**named: int) -> str:
    """Sizes in words."""
    return ", ".join(f"{name} {size}" for name, size in named.items())


def first(op: Callable[..., tuple[Tensor, Tensor]]) -> Callable[..., Tensor]:
    """The outputs alone, without the last state."""
    return lambda *inputs: op(*inputs)[0]


def diagonal_ssms() -> Iterator[Case]:
    """S4D's whole op: a bank of time-invariant complex diagonal systems, one a feature."""
    for b, l, m, n in (
        (8, 1024, 128, 32),
        (8, 4096, 128, 32),
        (1, 1024, 128, 32),
        (1, 16384, 128, 32),
        (16, 1024, 8, 4),
    ):
        A = torch.complex(torch.full((n,), -0.5), math.pi * torch.arange(n))
        a = torch.exp(A * torch.exp(torch.empty(m, 1).uniform_(math.log(1e-3), math.log(1e-1))))
        drive, c = (a - 1) / A, torch.randn(m, n, dtype=torch.complex64)
        u = torch.randn(b, l, m)
        inputs, K = (a, drive, c, u), loops.ssm_kernel(a, drive, c, l)
        peers = {
            "FFT, kernel given": Call(loops.fft_convolution, (K, u)),
            "kernel and FFT": Call(
                lambda a, b, c, u: loops.fft_convolution(loops.ssm_kernel(a, b, c, u.shape[1]), u),
                inputs,
            ),
        }
        if l <= LOOP_LONGEST:
            peers["loop"] = Call(loops.ssm, inputs)
        # a complex mode and step: 4 products for a h, 1 for b u, 2 for c h, as multiply-adds
        yield Case(
            "diagonal_ssm",
            sizes(b=b, l=l, m=m, n=n),
            Call(first(diagonal_ssm), inputs),
            peers,
            work=14 * b * l * m * n,
        )


def diagonal_mimos() -> Iterator[Case]:
    """S5's whole op: one complex diagonal system with dense input and output maps."""
    for b, l, n, p in ((8, 1024, 64, 128), (8, 4096, 64, 128), (1, 4096, 64, 128)):
        a = torch.polar(1 - 0.1 * torch.rand(n), 3 * torch.rand(n))
        B, C, d = torch.randn(2 * n, p) / p, torch.randn(p, 2 * n) / n, torch.randn(p)
        inputs = (a, B, C, torch.randn(b, l, p), d)
        yield Case(
            "diagonal_mimo",
            sizes(b=b, l=l, n=n, p=p),
            Call(lambda a, B, C, u, d: diagonal_mimo(a, B, C, u, d=d)[0], inputs),
            {"products around a scan": Call(loops.mimo, inputs)},
            # B and C
            work=8 * b * l * n * p,
        )


def diagonal_scans() -> Iterator[Case]:
    """All states of a complex diagonal recurrence whose decays differ from step to step."""
    for b, l, n in ((8, 4096, 32), (8, 4096, 256), (1, 16384, 64)):
        a = torch.polar(torch.rand(b, l, n), 6 * torch.rand(b, l, n))
        x = torch.randn(b, l, n, dtype=torch.complex64)
        yield Case(
            "diagonal_scan",
            sizes(b=b, l=l, n=n),
            Call(first(diagonal_scan), (a, x)),
            {"loop": Call(loops.scan, (a, x))},
            work=3 * 8 * x.numel(),
            limit="bandwidth",
        )


def holds() -> Iterator[Case]:
    """The zero-order hold that discretises a diagonal system, one step size a feature."""
    for m, n in ((128, 32), (512, 64)):
        values = torch.complex(torch.full((m, n), -0.5), math.pi * torch.arange(n).expand(m, n))
        dt = torch.exp(torch.empty(m, 1).uniform_(math.log(1e-3), math.log(1e-1)))
        yield Case(
            "zoh",
            sizes(m=m, n=n),
            Call(lambda values, dt: torch.cat(zoh(values, dt)), (values, dt)),
            {"PyTorch": Call(loops.hold, (values, dt))},
            work=3 * 8 * values.numel(),
            limit="bandwidth",
        )


def selective_scans() -> Iterator[Case]:
    """Mamba's recurrence: discretisation, states and outputs in one pass."""
    for b, l, m, n in ((2, 1024, 512, 16), (1, 4096, 1536, 16)):
        u, dt = torch.randn(b, l, m), 0.1 * torch.rand(b, l, m)
        A = -torch.arange(1.0, n + 1).expand(m, n).clone()
        B, C = torch.randn(b, l, 1, n), torch.randn(b, l, 1, n)
        inputs = (u, dt, A, B, C)
        yield Case(
            "selective_scan",
            sizes(b=b, l=l, m=m, n=n),
            Call(lambda u, dt, A, B, C: selective_scan(Selective(A, B, C, dt), u)[0], inputs),
            {"loop": Call(loops.selective, inputs)} if l <= LOOP_LONGEST else {},
            # an exponential, two products and two multiply-adds a state and step
            work=7 * b * l * m * n,
        )


def short_convolutions() -> Iterator[Case]:
    """The few taps before a recurrence."""
    for b, l, d, w in ((2, 1024, 1024, 4), (8, 4096, 128, 4)):
        x, weight, bias = torch.randn(b, l, d), torch.randn(d, w), torch.randn(d)

        def conv1d(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
            taps = weight[:, None]
            y = torch.nn.functional.conv1d(
                x.mT, taps, bias, padding=taps.shape[2] - 1, groups=len(bias)
            )
            return torch.nn.functional.silu(y[..., : x.shape[1]]).mT

        yield Case(
            "short_convolution",
            sizes(b=b, l=l, d=d, w=w),
            Call(lambda *x: short_convolution(*x, silu=True)[0], (x, weight, bias)),
            {"conv1d": Call(conv1d, (x, weight, bias))},
            work=2 * 4 * x.numel(),
            limit="bandwidth",
        )


def long_convolutions() -> Iterator[Case]:
    """Kernels as long as the series, one a channel."""
    for b, l, m in ((8, 1024, 128), (8, 4096, 128), (1, 16384, 128), (4, 1500, 64)):
        u, K = torch.randn(b, l, m), torch.randn(m, l) / l
        yield Case(
            "long_convolution",
            sizes(b=b, l=l, m=m),
            Call(long_convolution, (u, K)),
            {"FFT": Call(lambda u, K: loops.fft_convolution(K.mT, u), (u, K))},
            work=2 * 4 * u.numel(),
            limit="bandwidth",
        )


MATRIX_SIZES = ((2, 2048, 4, 64, 64), (1, 2048, 24, 128, 64), (8, 512, 4, 32, 32))


def matrix_scans() -> Iterator[Case]:
    """Matrix states that decay: SSD with one group of keys, and GLA."""
    for b, l, m, n, p in MATRIX_SIZES:
        a, v, q = 1 - 0.1 * torch.rand(b, l, m), torch.randn(b, l, m, p), _keys(b, l, m, n)
        gated = 1 - 0.1 * torch.rand(b, l, m, n)
        shared = (a, _keys(b, l, 1, n), v, _keys(b, l, 1, n))
        yield _matrix("SSD", matrix_scan, shared, (b, l, m, n, p), 1)
        yield _matrix("GLA", matrix_scan, (gated, _keys(b, l, m, n), v, q), (b, l, m, n, p), 1)


def delta_rules(writes: tuple[int, ...] = (1, 2)) -> Iterator[Case]:
    """The gated delta rule with one and with two writes a step."""
    for b, l, m, n, p in MATRIX_SIZES:
        a, q = 1 - 0.1 * torch.rand(b, l, m), _keys(b, l, m, n)
        for r in writes:
            v, beta = torch.randn(b, l, m, r, p), 2 * torch.rand(b, l, m, r)
            inputs = (a, _keys(b, l, m, r, n), v, beta, q)
            name = f"{r} write{'s' * (r > 1)}"
            yield _matrix(name, delta_rule, inputs, (b, l, m, n, p), 2 * r)


def _keys(*shape: int) -> Tensor:
    return normalize(torch.randn(shape), dim=-1)


def _matrix(
    name: str,
    op: Callable[..., tuple[Tensor, Tensor]],
    inputs: tuple[Tensor, ...],
    size: tuple[int, int, int, int, int],
    updates: int,
) -> Case:
    """A case of matrix states, whose every number is read once a step and updated so many times."""
    b, l, m, n, p = size
    peers = {"chunks": Call(lambda *x: op(*x, chunked=True)[0], inputs)}
    if b * l * m * n * p <= LOOP_LARGEST:
        peers["loop"] = Call(loops.matrix, inputs)
    heads = tuple(torch.randn(b, m, l, x) for x in (n, n, p))
    peers["attention"] = Call(loops.attention, heads, same=False)
    words = f"{name}; {sizes(b=b, l=l, m=m, n=n, p=p)}"
    work = 2 * b * l * m * n * p * (1 + updates)
    return Case(op.__name__, words, Call(first(op), inputs), peers, work=work)
