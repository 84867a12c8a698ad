"""S4D and S5 layers beside the published ones, with the same weights and the same work.

python benchmarks/kernels/bench_time_invariant.py [--s4 PATH] [--s5 PATH] [--lengths 1024 4096]

- PATH of --s4: a checkout of state-spaces/s4, whose s4d.py makes a kernel and convolves by FFT.
- PATH of --s5: a checkout of lindermanlab/S5 (needs jax and flax), compiled by XLA.
- s5-pytorch takes part if it is installed (pip install s5-pytorch).
- Beside S4D always: its kernel and an FFT in plain PyTorch operations.

Sizes are those of small models: batch 8 and 1, 128 features; S4D with 32 complex modes a feature,
S5 with 64 modes. Ours is first held to float64, results and gradients, and the peers' results too;
what is wrong ends the run. Each runs in a process of its own, and they take turns; times of peers
are multiples of ours.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from bench_kernels import s4d_kernel
from beside import race
from measure import limits
from torch import Tensor

from resolvent import bench
from resolvent.bench import Call, Machine
from resolvent.bench.case import MAKE, Row, exact
from resolvent.bench.loops import fft_convolution
from resolvent.bench.table import columns, head, line
from resolvent.kernels.backend import current
from resolvent.layers import S4D, S5

FEATURES, STATES = 128, {"S4D": 64, "S5": 128}
MULTIPLICATIONS = {"S4D": 14 * 32, "S5": 8 * 64}
"""What a feature's step cannot do without, additions included."""


class Size(NamedTuple):
    """A layer, and the shape of its inputs (batch, length, FEATURES)."""

    layer: str
    batch: int
    length: int

    def setting(self) -> tuple[Any, Tensor]:
        """The layer and its inputs, the same in every process."""
        torch.manual_seed(0)
        options = {"init": "lin"} if self.layer == "S4D" else {}
        kind = {"S4D": S4D, "S5": S5}[self.layer]
        layer = kind(FEATURES, STATES[self.layer], **options)
        return layer, torch.randn(self.batch, self.length, FEATURES)


def main() -> None:
    """Print a table for each layer."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--s4", type=Path)
    parser.add_argument("--s5", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--lengths", type=int, nargs="+", default=[1024, 4096, 16384])
    args = parser.parse_args()
    machine = limits()
    print(bench.heading(machine, current().name), flush=True)
    beside_s4d: dict[str, Path | None] = {"kernel and FFT": None}
    beside_s5: dict[str, Path | None] = {}
    if args.s4:
        beside_s4d["s4d.py"] = args.s4
    if importlib.util.find_spec("s5"):
        beside_s5["s5-pytorch"] = None
    if args.s5:
        beside_s5["JAX S5"] = args.s5
    table([Size("S4D", b, l) for b in (8, 1) for l in args.lengths], beside_s4d, args.runs, machine)
    short = [x for x in args.lengths if x <= 4096]
    table([Size("S5", 8, l) for l in short], beside_s5, args.runs, machine)


def table(sizes: list[Size], peers: dict[str, Path | None], runs: int, machine: Machine) -> None:
    """Print a line for each size and pass, when all are known."""
    rows = []
    for size in sizes:
        print(f"  {size}", file=sys.stderr, flush=True)
        rows += [measure(size, kind, peers, runs, machine) for kind in MAKE]
    names = columns(rows)
    print("\n".join(["", head(names), *(line(row, names) for row in rows)]), flush=True)


def measure(
    size: Size, kind: str, peers: dict[str, Path | None], runs: int, machine: Machine
) -> Row:
    """Time one pass, "forward" or "both", after results were compared."""
    makes = [partial(make, size, kind, name, path) for name, path in {"": None, **peers}.items()]
    expected = exact(bench.of_module(*size.setting())[1], kind)
    mine, *theirs = race(makes, expected, kind, runs)
    ratios = {name: time / mine for name, time in zip(peers, theirs, strict=True)}
    work = size.batch * size.length * FEATURES * MULTIPLICATIONS[size.layer]
    reached = work / mine / 1e6 / machine.products if kind == "forward" else None
    words = f"b {size.batch}, l {size.length}"
    return Row(size.layer, words, kind, mine, reached, ratios)


def make(size: Size, kind: str, peer: str, path: Path | None) -> Callable[[], object]:
    """The call of one contender; ours has no name."""
    layer, u = size.setting()
    made = {
        "": lambda: bench.of_module(layer, u)[0],
        "kernel and FFT": lambda: Call(_by_fft(layer), bench.of_module(layer, u)[0].inputs),
        "s4d.py": lambda: _s4d_py(path or Path(), layer, u),
        "s5-pytorch": lambda: _s5_pytorch(layer, u),
        "JAX S5": lambda: _jax_s5(path or Path(), layer, u),
    }
    call = made[peer]()
    return MAKE[kind](call.op, call.inputs)


def _by_fft(layer: S4D) -> Callable[..., Tensor]:
    def op(u: Tensor, *_: Tensor) -> Tensor:
        system = layer.system()
        a, drive = system.A.values, system.B * system.C  # type: ignore[attr-defined]
        powers = torch.exp(torch.log(a)[..., None] * torch.arange(u.shape[1]))
        K = 2 * torch.einsum("mn,mnl->lm", drive, powers).real
        return fft_convolution(K, u) + layer.D[:, 0] * u

    return op


def _s4d_py(path: Path, layer: S4D, u: Tensor) -> Call:
    """The lines of s4d.py's forward up to its D skip, in its own layout (b, d, l)."""
    kernel = s4d_kernel(path, layer)

    def op(u: Tensor, D: Tensor, *_: Tensor) -> Tensor:
        size = 2 * u.shape[-1]
        product = torch.fft.rfft(u, size) * torch.fft.rfft(kernel(u.shape[-1]), size)
        y = torch.fft.irfft(product, size)[..., : u.shape[-1]] + u * D
        return y.mT

    return Call(op, (u.mT.contiguous(), layer.D, *kernel.parameters()))


def _s5_pytorch(layer: S5, u: Tensor) -> Call:
    from s5 import S5 as Theirs  # type: ignore[import-not-found]

    theirs = Theirs(FEATURES, STATES["S5"] // 2)
    values = {
        "Lambda": torch.complex(-layer.log_decay.exp(), layer.frequency)[0],
        "B": layer.B,
        "C": 2 * torch.view_as_complex(layer.C),  # it takes no conjugates: Re(C h), not 2 Re(C h)
        "D": layer.D[0],
        "log_step": layer.log_dt[0],
    }
    with torch.no_grad():
        for name, value in values.items():
            parameter = getattr(theirs.seq, name)
            parameter.copy_(value.view_as(parameter))
    return bench.of_module(theirs, u, output=lambda y: y)[0]


def _jax_s5(path: Path, layer: S5, u: Tensor) -> Call:
    import jax  # type: ignore[import-not-found]
    import jax.numpy as jnp  # type: ignore[import-not-found]

    jnp.DeviceArray = jax.Array  # type: ignore[attr-defined]  # which the checkout still names
    folder = path / "s5"
    places = [str(folder)]
    spec = importlib.util.spec_from_file_location(
        "jax_s5", folder / "__init__.py", submodule_search_locations=places
    )
    assert spec
    sys.modules["jax_s5"] = importlib.util.module_from_spec(spec)
    from jax_s5.ssm import apply_ssm, discretize_zoh  # type: ignore[import-not-found]

    def layers(u: Any, log_dt: Any, log_decay: Any, frequency: Any, B: Any, C: Any, D: Any) -> Any:
        B, C = (x[..., 0] + 1j * x[..., 1] for x in (B, C))
        eigenvalues = -jnp.exp(log_decay[0]) + 1j * frequency[0]
        a, B = discretize_zoh(eigenvalues, B, jnp.exp(log_dt[0]))
        return jax.vmap(lambda row: apply_ssm(a, B, C, row, True, False) + D[0] * row)(u)

    return Call(_through_torch(layers), (u, *layer.parameters()))


def _through_torch(f: Callable[..., Any]) -> Callable[..., Tensor]:
    """A function of JAX as one of PyTorch, both passes compiled; no number is copied."""
    import jax  # type: ignore[import-not-found]

    forward, both = jax.jit(f), jax.jit(lambda *x: jax.vjp(f, *x))
    backward = jax.jit(lambda pull, g: pull(g))
    give, take = jax.dlpack.from_dlpack, torch.from_dlpack

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *inputs: Tensor) -> Tensor:
            arrays = [give(x.detach().contiguous()) for x in inputs]
            if not any(ctx.needs_input_grad):
                return take(forward(*arrays).block_until_ready())
            y, ctx.pull = both(*arrays)
            return take(y.block_until_ready())

        @staticmethod
        def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, ...]:
            found = backward(ctx.pull, give(grads[0].contiguous()))
            return tuple(take(x) for x in jax.block_until_ready(found))

    return Function.apply


if __name__ == "__main__":
    main()
