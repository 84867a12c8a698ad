"""Training DeltaProduct with two writes a step: the delta rule alone, and a whole layer.

python benchmarks/kernels/bench_delta_product.py [--fla PATH] [--runs 3]

- loop: the rule in PyTorch operations, one step after the other.
- chunks: its WY form in chunks of matrix products, by PyTorch operations.
- PATH of --fla: a checkout of fla-org/flash-linear-attention, whose naive chunks take the writes of
  a step as steps of their own, as its kernels for DeltaProduct do; needs einops.
- attention: PyTorch's, causal, of as many heads and features, for scale.

Each case is held to float64 before it is timed; times of peers are multiples of ours. In a layer
only the rule is exchanged: projections, short convolution, norm and gate are the same for all.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from resolvent import bench
from resolvent.bench import Call, Case
from resolvent.bench.loops import matrix
from resolvent.bench.ops import delta_rules
from resolvent.kernels import delta_rule
from resolvent.kernels.backend import current
from resolvent.layers import GatedDeltaProduct
from resolvent.layers.base import Timing
from resolvent.system import DeltaRule, Varying

Rule = Callable[..., Tensor]  # of a, k, v, beta, q

LAYERS = ((2, 2048, 256), (8, 512, 128))  # b, l, d


def main() -> None:
    """Print a table for the rule, and one for the layer."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--fla", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    torch.manual_seed(0)
    machine = bench.limits()
    print(bench.heading(machine, current().name), flush=True)
    naive = {"naive chunks of fla": naive_chunks(args.fla)} if args.fla else {}
    for cases in (rules(naive), layers(naive)):
        print()
        for text, _ in bench.table(cases, machine, args.runs):
            print(text, flush=True)


def naive_chunks(checkout: Path) -> Rule:
    """The rule by flash-linear-attention's PyTorch reference of its chunks."""
    path = checkout / "fla" / "ops" / "gated_delta_rule" / "naive.py"
    spec = importlib.util.spec_from_file_location("fla_naive", path)
    assert spec and spec.loader, f"{path} is no module"
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def rule(a: Tensor, k: Tensor, v: Tensor, beta: Tensor, q: Tensor) -> Tensor:
        r = v.shape[3]
        # decay before the first write of a step, read after its last
        decay = torch.zeros_like(beta)
        decay[..., 0] = torch.log(a)
        query = torch.zeros_like(k)
        query[..., -1, :] = q
        apart = [x.transpose(2, 3).flatten(1, 2) for x in (query, k, v, decay, beta)]
        return module.naive_chunk_gated_delta_rule(*apart, scale=1.0)[0][:, r - 1 :: r]

    return rule


def rules(others: dict[str, Rule]) -> Iterator[Case]:
    """The sizes of `resolvent bench delta_rule`."""
    for case in delta_rules(writes=(2,)):
        peers = {name: Call(rule, case.ours.inputs) for name, rule in others.items()}
        yield replace(case, peers=case.peers | peers)


def layers(others: dict[str, Rule]) -> Iterator[Case]:
    """A gated layer of four heads and its gradients of input and all parameters."""
    for b, l, d in LAYERS:
        layer, u = GatedDeltaProduct(d, n_heads=4), torch.randn(b, l, d)
        ours, exact = bench.of_module(layer, u)
        peers = {"loop": matrix, "chunks": _by_chunks, **others}
        calls = {name: Call(_with(layer, rule), ours.inputs) for name, rule in peers.items()}
        yield Case("layer", f"layer; b {b}, l {l}, d {d}", ours, calls, exact)


def _by_chunks(*inputs: Tensor) -> Tensor:
    return delta_rule(*inputs, chunked=True)[0]


def _with(layer: GatedDeltaProduct, rule: Rule) -> Rule:
    """The layer with its recurrence by a rule."""

    def op(u: Tensor, *_: Tensor) -> Tensor:
        prepared = layer.prepare(u, layer.initial_state(len(u)).memory, Timing())
        system = prepared.system
        assert isinstance(system, Varying) and isinstance(system.transition, DeltaRule)
        A = system.transition.forget
        y = rule(A.gate[..., 0], A.keys, prepared.x, A.beta, system.C)
        return layer.finish(y, prepared)

    return op


if __name__ == "__main__":
    main()
