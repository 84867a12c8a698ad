"""Matrix states and the delta rule beside what PyTorch offers, and beside what the machine can do.

python benchmarks/kernels/bench_matrix.py [--threads 2] [--runs 7] [--backend auto]

Every op is first held to its peer's numbers; a wrong one is not timed. Times are medians of runs
that take turns, in milliseconds, forward and forward + backward; float32. Peers:

- chunks: the same op in chunks of matrix products, by PyTorch operations (kernels/matrix_torch.py).
- loop: the recurrence in PyTorch operations, one step at a time.
- attention: causal scaled_dot_product_attention over the same heads and sizes, for scale.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from measure import Machine, agree, benchmark, medians, with_gradients, without_gradients
from torch import Tensor
from torch.nn.functional import normalize, scaled_dot_product_attention

from resolvent.kernels import delta_rule, matrix_scan

SHAPES = [(2, 2048, 4, 64, 64), (1, 2048, 24, 128, 64), (8, 512, 4, 32, 32)]  # b, l, m, n, p
LOOP_LARGEST = 1 << 26  # numbers of a state over all steps and rows


def main() -> None:
    with benchmark(__doc__ or "", runs=5) as (runs, machine):
        print("Times of the peers are multiples of ours; 'reached' is the products that the plain")
        print("recurrence needs, forward, against the matrix product.\n")
        print("| op | b, l, m, n, p | pass | ours ms | reached | chunks | loop | attention |")
        print("|---|---|---|---|---|---|---|---|")
        for shape in SHAPES:
            for name, inputs in ops(*shape).items():
                table(name, shape, inputs, runs, machine)


def ops(b: int, l: int, m: int, n: int, p: int) -> dict[str, tuple[Tensor, ...]]:  # noqa: E741
    """Arguments (a, k, v, q) or (a, k, v, beta, q) of each op."""

    def keys(*shape: int) -> Tensor:
        return normalize(torch.randn(b, l, *shape, n), dim=-1)

    a, v, q = 1 - 0.1 * torch.rand(b, l, m), torch.randn(b, l, m, p), keys(m)
    gated = 1 - 0.1 * torch.rand(b, l, m, n)
    found: dict[str, tuple[Tensor, ...]] = {
        "SSD, one group": (a, keys(1), v, keys(1)),
        "GLA": (gated, keys(m), v, q),
    }
    for r in (1, 2):
        values, beta = torch.randn(b, l, m, r, p), 2 * torch.rand(b, l, m, r)
        found[f"delta rule, {r} write{'s' * (r > 1)}"] = (a, keys(m, r), values, beta, q)
    return found


def fused(*inputs: Tensor, chunked: bool = False) -> Tensor:
    op = matrix_scan if len(inputs) == 4 else delta_rule
    return op(*inputs, chunked=chunked)[0]


def chunks(*inputs: Tensor) -> Tensor:
    return fused(*inputs, chunked=True)


def loop(*inputs: Tensor) -> Tensor:
    a, k, v, *beta, q = inputs
    a = a[..., None] if a.dim() == 3 else a
    k, v = (x if beta else x[:, :, :, None] for x in (k, v))
    state = v.new_zeros(v.shape[0], v.shape[2], k.shape[-1], v.shape[-1])
    y = []
    for t in range(v.shape[1]):
        state = a[:, t, :, :, None] * state
        for j in range(v.shape[3]):
            key, value = k[:, t, :, j, :, None], v[:, t, :, j]
            if beta:
                value = beta[0][:, t, :, j, None] * (value - (key * state).sum(-2))
            state = state + key * value[..., None, :]
        y.append((q[:, t, :, :, None] * state).sum(-2))
    return torch.stack(y, 1)


def attention(b: int, l: int, m: int, n: int, p: int) -> tuple[Callable, tuple[Tensor, ...]]:  # noqa: E741
    def op(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return scaled_dot_product_attention(q, k, v, is_causal=True)

    return op, tuple(torch.randn(b, m, l, x) for x in (n, n, p))


def table(
    name: str, shape: tuple[int, ...], inputs: tuple[Tensor, ...], runs: int, machine: Machine
) -> None:
    b, l, m, n, p = shape  # noqa: E741
    peers: dict[str, tuple[Callable, tuple[Tensor, ...]]] = {"chunks": (chunks, inputs)}
    if b * l * m * n * p <= LOOP_LARGEST:
        peers["loop"] = (loop, inputs)
    agree(fused(*inputs), chunks(*inputs))
    peers["attention"] = attention(*shape)
    writes = 1 if len(inputs) == 4 else inputs[1].shape[3]
    # multiply-adds a number of the state: read once a step, written and corrected once a write
    work = 2 * b * l * m * n * p * (1 + writes * (1 if len(inputs) == 4 else 2))
    for kind, make in (("forward", without_gradients), ("both", with_gradients)):
        calls = {"ours": (fused, inputs), **peers}
        times = dict(zip(calls, medians([make(*x) for x in calls.values()], runs), strict=True))
        ours = times["ours"]
        share = f"{work / ours / 1e6 / machine.products:.0%}" if kind == "forward" else ""
        columns = " | ".join(
            f"{times[x] / ours:.1f}" if x in times else "" for x in ("chunks", "loop", "attention")
        )
        size = ", ".join(map(str, shape))
        print(f"| {name} | {size} | {kind} | {ours:.2f} | {share} | {columns} |", flush=True)


if __name__ == "__main__":
    main()
