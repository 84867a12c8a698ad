"""Convolution kernels of S4 and S4D alone, beside the published ones, with the same weights.

python benchmarks/kernels/bench_kernels.py [--s4 PATH] [--kernels Cauchy S4] [--lengths 1024 4096]

- "Cauchy": the four products of S4's kernel in double precision, at the roots of unity.
- "S4": its whole kernel, with the power of A that truncates it.
- "S4D": its kernel, the Vandermonde product, from its parameters.

All three beside the PyTorch operations that run without a native kernel. PATH of --s4: a checkout
of state-spaces/s4, whose cauchy_naive (to 4,096 steps) and S4DKernel take part; its Cauchy products
in double precision too, since complex64 loses the slow modes.

128 features, 32 complex modes each. Ours is first held to float64, results and gradients, and the
peers' results too; what is wrong ends the run. Each runs in a process of its own, and they take
turns; times of peers are multiples of ours.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import torch
from beside import race
from measure import limits
from torch import Tensor, nn

from resolvent import bench
from resolvent.bench import Call
from resolvent.bench.case import MAKE, Row, exact
from resolvent.bench.table import columns, head, line
from resolvent.kernels import cauchy, using
from resolvent.kernels.backend import current
from resolvent.layers import S4, S4D

FEATURES, STATES, PRODUCTS = 128, 64, 4
PLAIN = "PyTorch operations"
NAIVE_LONGEST = 4096
"""Steps up to which the fractions of cauchy_naive, all held at once, fit into a usual memory."""


class Size(NamedTuple):
    """What is made, and of how many steps."""

    kernel: str
    length: int


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--s4", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--lengths", type=int, nargs="+", default=[1024, 4096, 16384])
    kernels = ("Cauchy", "S4", "S4D")
    parser.add_argument("--kernels", nargs="+", choices=kernels, default=kernels)
    args = parser.parse_args()
    print(bench.heading(limits(), current().name) + "\n", flush=True)
    rows = []
    for size in (Size(kernel, l) for kernel in args.kernels for l in args.lengths):
        print(f"  {size}", file=sys.stderr, flush=True)
        rows += [measure(size, kind, args.s4, args.runs) for kind in MAKE]
    names = columns(rows)
    print("\n".join([head(names), *(line(row, names) for row in rows)]), flush=True)


def measure(size: Size, kind: str, s4: Path | None, runs: int) -> Row:
    """Time one pass, "forward" or "both", after results were compared."""
    peers = [PLAIN]
    if s4 and size.kernel == "S4D":
        peers.append("s4d.py")
    if s4 and size.kernel == "Cauchy" and size.length <= NAIVE_LONGEST:
        peers.append("s4.py")
    makes = [partial(make, size, kind, x, s4) for x in ("", *peers)]
    time, *times = race(makes, exact(ours(size, double=True), kind), kind, runs)
    ratios = {name: other / time for name, other in zip(peers, times, strict=True)}
    words = f"{size.kernel}; m {FEATURES}, n {STATES // 2}, l {size.length}"
    return Row(size.kernel, words, kind, time, None, ratios)


def make(size: Size, kind: str, peer: str, s4: Path | None) -> Callable[[], object]:
    """The call of one contender; ours has no name."""
    call = ours(size)
    if peer in ("s4.py", "s4d.py"):
        call = {"s4.py": naive_cauchy, "s4d.py": naive_vandermonde}[peer](size, s4 or Path())
    made = MAKE[kind](call.op, call.inputs)
    return _by_torch(made) if peer == PLAIN else made


def _by_torch(call: Callable[[], object]) -> Callable[[], object]:
    def on_torch() -> object:
        with using("torch"):
            return call()

    return on_torch


def ours(size: Size, double: bool = False) -> Call:
    """Our call; the same numbers in every process."""
    torch.manual_seed(0)
    if size.kernel == "Cauchy":
        values, w, s = products(size)
        return Call(lambda values, w: cauchy(values, w, s), (values, w))
    layer = S4(FEATURES, STATES) if size.kernel == "S4" else S4D(FEATURES, STATES, init="lin")
    layer = layer.double() if double else layer
    named = [x for name, x in layer.named_parameters() if name != "D"]
    return Call(lambda *_: layer.kernel(size.length), tuple(named))


def products(size: Size) -> tuple[Tensor, Tensor, Tensor]:
    """Poles of a discrete S4 layer, weights, and the roots of unity that a real series needs."""
    values = S4(FEATURES, STATES).double().system().A.values.detach()  # type: ignore[attr-defined]
    w = torch.randn(FEATURES, PRODUCTS, STATES // 2, dtype=torch.complex128)
    turn = torch.arange(size.length // 2 + 1, dtype=torch.float64) / size.length
    return values, w, torch.polar(torch.ones_like(turn), 2 * torch.pi * turn)


def naive_cauchy(size: Size, path: Path) -> Call:
    """cauchy_naive of s4.py as its kernel calls it, all products of a feature at once."""
    torch.manual_seed(0)
    values, w, s = products(size)
    # of which the file wants one decorator, for its log
    stand_in = ModuleType("pytorch_lightning.utilities")
    stand_in.rank_zero_only = lambda f: f  # type: ignore[attr-defined]
    sys.modules.setdefault("pytorch_lightning", ModuleType("pytorch_lightning"))
    sys.modules.setdefault("pytorch_lightning.utilities", stand_in)
    sys.path.insert(0, str(path))
    from models.s4.s4 import cauchy_naive  # type: ignore[import-not-found]

    return Call(lambda values, w: cauchy_naive(w, s, values[:, None]), (values, w))


def naive_vandermonde(size: Size, path: Path) -> Call:
    """The kernel of s4d.py with the weights of ours."""
    torch.manual_seed(0)
    layer = S4D(FEATURES, STATES, init="lin")
    kernel = s4d_kernel(path, layer)
    return Call(lambda *_: kernel(size.length), tuple(kernel.parameters()))


def s4d_kernel(path: Path, layer: S4D) -> nn.Module:
    """S4DKernel of the checkout at path, with the weights of a layer of ours."""
    sys.path.insert(0, str(path))
    from models.s4.s4d import S4DKernel  # type: ignore[import-not-found]

    kernel = S4DKernel(FEATURES, STATES)
    with torch.no_grad():
        B, C = (torch.view_as_complex(x) for x in (layer.B, layer.C))
        kernel.log_dt.copy_(layer.log_dt[:, 0])
        kernel.log_A_real.copy_(layer.log_decay)
        kernel.A_imag.copy_(layer.frequency)
        kernel.C.copy_(torch.view_as_real(B * C))
    return kernel


if __name__ == "__main__":
    main()
