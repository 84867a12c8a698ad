"""S4D and S5 layers beside the published ones, with the same weights and the same work.

python benchmarks/bench_time_invariant.py [--s4 PATH] [--s5 PATH] [--runs 5] [--lengths 1024 4096]

- PATH of --s4: a checkout of state-spaces/s4, whose s4d.py makes a kernel and convolves by FFT.
- PATH of --s5: a checkout of lindermanlab/S5 (needs jax and flax), compiled by XLA.
- s5-pytorch takes part if it is installed (pip install s5-pytorch).
- Beside S4D always: its kernel and an FFT in plain PyTorch operations.

Sizes are those of small models: batch 8 and 1, 128 features; S4D with 32 complex modes a feature,
S5 with 64 modes. Each case is held to float64 before it is timed; times of peers are multiples of
ours.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from resolvent import bench
from resolvent.bench import Call, Case
from resolvent.bench.loops import fft_convolution
from resolvent.kernels.backend import current
from resolvent.layers import S4D, S5

FEATURES, STATES = 128, {"S4D": 64, "S5": 128}


def main() -> None:
    """Print a table for each layer."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--s4", type=Path)
    parser.add_argument("--s5", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--lengths", type=int, nargs="+", default=[1024, 4096, 16384])
    args = parser.parse_args()
    torch.manual_seed(0)
    machine = bench.limits()
    print(bench.heading(machine, current().name), flush=True)
    for cases in (s4d_cases(args.s4, args.lengths), s5_cases(args.s5, args.lengths)):
        for text, _ in bench.table(cases, machine, args.runs):
            print(text, flush=True)


def s4d_cases(s4: Path | None, lengths: list[int]) -> Iterator[Case]:
    """S4D-Lin at batch 8 and 1; a feature's step is 19 multiplications a mode and chunk of 4."""
    for batch in (8, 1):
        for length in lengths:
            layer = S4D(FEATURES, STATES["S4D"], init="lin")
            u = torch.randn(batch, length, FEATURES)
            ours, exact = bench.of_module(layer, u)
            peers = {"kernel and FFT": Call(_by_fft(layer), ours.inputs)}
            if s4:
                peers["s4d.py"] = _s4d_py(s4, layer, u)
            size = f"b {batch}, l {length}"
            yield Case("S4D", size, ours, peers, exact, work=14 * u.numel() * STATES["S4D"] // 2)


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
    sys.path.insert(0, str(path))
    from models.s4.s4d import S4DKernel  # type: ignore[import-not-found]

    kernel = S4DKernel(FEATURES, STATES["S4D"])
    with torch.no_grad():
        B, C = (torch.view_as_complex(x) for x in (layer.B, layer.C))
        kernel.log_dt.copy_(layer.log_dt[:, 0])
        kernel.log_A_real.copy_(layer.log_decay)
        kernel.A_imag.copy_(layer.frequency)
        kernel.C.copy_(torch.view_as_real(B * C))

    def op(u: Tensor, D: Tensor, *_: Tensor) -> Tensor:
        size = 2 * u.shape[-1]
        product = torch.fft.rfft(u, size) * torch.fft.rfft(kernel(u.shape[-1]), size)
        y = torch.fft.irfft(product, size)[..., : u.shape[-1]] + u * D
        return y.mT

    return Call(op, (u.mT.contiguous(), layer.D, *kernel.parameters()))


def s5_cases(s5: Path | None, lengths: list[int]) -> Iterator[Case]:
    """S5 of one block at batch 8."""
    for length in [x for x in lengths if x <= 4096]:
        layer, u = S5(FEATURES, STATES["S5"]), torch.randn(8, length, FEATURES)
        ours, exact = bench.of_module(layer, u)
        peers = {}
        if importlib.util.find_spec("s5"):
            peers["s5-pytorch"] = _s5_pytorch(layer, u)
        if s5:
            peers["JAX S5"] = _jax_s5(s5, layer, u)
        yield Case("S5", f"b 8, l {length}", ours, peers, exact, work=8 * u.numel() * 64)


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
