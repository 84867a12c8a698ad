"""The selective scan beside other implementations, and beside what the machine can do.

python benchmarks/kernels/bench_selective.py [--threads 2] [--runs 5] [--backend auto]

The whole operation of Mamba is timed: softplus of the step sizes with their bias, discretisation,
recurrence, output map, skip and gate; float32, arguments as a fresh Mamba layer makes them. Every
peer is first held to our numbers, results and gradients; a wrong one is not timed. Each runs in a
process of its own, and they take turns. Peers, and those that are not installed are left out:

- mambapy: the parallel scan of mambapy (pip install mambapy), in the middle of the same operation.
- JAX: jax.lax.scan over time, compiled (pip install jax).
- loop: the recurrence in PyTorch operations, one step at a time; up to LOOP_LONGEST steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

import torch
from beside import contenders
from measure import agree, benchmark, medians_of_turns, with_gradients, without_gradients
from torch import Tensor
from torch.nn.functional import silu, softplus

from resolvent.bench.measure import CLOSE, loss_weight
from resolvent.bench.ops import LOOP_LONGEST
from resolvent.kernels import Selective, selective_scan

SHAPES = [(2, 1024, 512, 16), (1, 4096, 1536, 16)]  # b, l, m, n

Inputs = tuple[Tensor, ...]  # u, dt, A, B, C, D, bias, gate


def main() -> None:
    with benchmark(__doc__ or "", runs=5) as (runs, machine):
        peers = ["loop"]
        for name, package in (("mambapy", "mambapy"), ("JAX", "jax")):
            if find_spec(package):
                peers.append(name)
            else:
                print(f"{package} is not installed: left out")
        print("Times of the peers are multiples of ours. 'reached' is the forward pass's ten")
        print("multiply-adds a state and step, seven of them its exponential, against the matrix")
        print("product.\n")
        print(f"| b, l, m, n | pass | ours ms | reached | {' | '.join(peers)} |")
        print("|---" * (4 + len(peers)) + "|")
        for shape in SHAPES:
            table(shape, peers, runs, machine.products)


def arguments(b: int, l: int, m: int, n: int) -> Inputs:
    """As in a fresh Mamba layer: rates 1..n, softplus(bias) log-uniform in [0.001, 0.1]."""
    dt = torch.exp(torch.empty(m).uniform_(math.log(1e-3), math.log(1e-1)))
    A = -torch.arange(1.0, n + 1).expand(m, n).contiguous()
    u, low, gate = torch.randn(b, l, m), 0.3 * torch.randn(b, l, m), torch.randn(b, l, m)
    B, C = torch.randn(b, l, n), torch.randn(b, l, n)
    return u, low, A, B, C, torch.ones(m), dt + torch.log(-torch.expm1(-dt)), gate


def ours(u: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor, *rest: Tensor) -> Tensor:
    D, bias, gate = rest
    system = Selective(A, B[:, :, None], C[:, :, None], dt, D, bias)
    return selective_scan(system, u, gate=gate)[0]


def mambapy(u: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor, *rest: Tensor) -> Tensor:
    from mambapy.pscan import pscan

    D, bias, gate = rest
    dt = softplus(dt + bias)
    a = torch.exp(dt[..., None] * A)
    h = pscan(a, dt[..., None] * B[:, :, None] * u[..., None])
    return ((h @ C[..., None])[..., 0] + D * u) * silu(gate)


def loop(u: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor, *rest: Tensor) -> Tensor:
    D, bias, gate = rest
    dt = softplus(dt + bias)
    h, y = u.new_zeros(u.shape[0], *A.shape), []
    push = dt * u
    for t in range(u.shape[1]):
        h = torch.exp(dt[:, t, :, None] * A) * h + push[:, t, :, None] * B[:, t, None]
        y.append((h @ C[:, t, :, None])[..., 0])
    return (torch.stack(y, 1) + D * u) * silu(gate)


def by_jax(inputs: Inputs, gradients: bool) -> Callable[[], object]:
    """The compiled call; it waits for its result."""
    import jax
    import jax.numpy as jnp

    def op(u, dt, A, B, C, D, bias, gate):
        dt = jax.nn.softplus(dt + bias)

        def step(h, now):
            u_t, dt_t, B_t, C_t = now
            h = jnp.exp(dt_t[..., None] * A) * h + (dt_t * u_t)[..., None] * B_t[:, None]
            return h, jnp.einsum("bmn,bn->bm", h, C_t)

        series = [jnp.moveaxis(x, 1, 0) for x in (u, dt, B, C)]
        _, y = jax.lax.scan(step, jnp.zeros((u.shape[0], *A.shape)), series)
        return (jnp.moveaxis(y, 0, 1) + D * u) * jax.nn.silu(gate)

    arrays = [jnp.asarray(x.numpy()) for x in inputs]
    call = op
    if gradients:
        weight = jnp.asarray(loss_weight(inputs[0].shape).numpy())
        call = jax.grad(lambda *x: (op(*x) * weight).sum(), argnums=tuple(range(len(arrays))))
    compiled = jax.jit(call)
    return lambda: jax.block_until_ready(compiled(*arrays))


def make(name: str, shape: tuple[int, ...], kind: str) -> Callable[[], object]:
    """The call of one contender at one size, "forward" or "both"."""
    inputs = arguments(*shape)
    if name == "JAX":
        return by_jax(inputs, gradients=kind == "both")
    op = {"ours": ours, "mambapy": mambapy, "loop": loop}[name]
    return (with_gradients if kind == "both" else without_gradients)(op, inputs)


def table(shape: tuple[int, ...], peers: list[str], runs: int, products: float) -> None:
    timed = [name for name in peers if name != "loop" or shape[1] <= LOOP_LONGEST]
    for kind in ("forward", "both"):
        makes = [partial(make, name, shape, kind) for name in ("ours", *timed)]
        with contenders(makes) as (first, *others):
            for other in others:
                for found, expected in zip(other.results, first.results, strict=True):
                    agree(found, expected, CLOSE if kind == "forward" else 10 * CLOSE)
            mine, *theirs = medians_of_turns([x.turn for x in (first, *others)], runs)
        reached = f"{20 * math.prod(shape) / mine / 1e6 / products:.0%}"
        times = {peer: f"{x / mine:.1f}" for peer, x in zip(timed, theirs, strict=True)}
        columns = " | ".join(times.get(peer, "") for peer in peers)
        size = ", ".join(map(str, shape))
        share = reached if kind == "forward" else ""
        print(f"| {size} | {kind} | {mine:.2f} | {share} | {columns} |", flush=True)


if __name__ == "__main__":
    main()
