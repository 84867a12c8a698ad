"""Which execution is fastest: what "auto" rests on. Prints a table of milliseconds and ratios.

python benchmarks/bench_execute.py [--batch 8] [--d-model 64] [--d-state 64] [--lengths 1024 4096]
"""

from __future__ import annotations

import argparse

import torch

from resolvent.bench import medians
from resolvent.bench.measure import with_gradients, without_gradients
from resolvent.execute import EXECUTIONS, choose, why_illegal
from resolvent.layers import LSSL, S4, S4D, S5, Layer

RUNS = 5
PASSES = (without_gradients, with_gradients)


def main() -> None:
    """Time forward and forward + backward of each legal execution of each layer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--d-model", type=int, default=64)
    parser.add_argument("--d-state", type=int, default=64)
    parser.add_argument("--lengths", type=int, nargs="+", default=[1024, 4096])
    args = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, medians of {RUNS}")
    print(f"batch {args.batch}, d_model {args.d_model}, d_state {args.d_state}, float32\n")
    print("| layer | length | execution | forward ms | forward + backward ms | over auto |")
    print("|---|---|---|---|---|---|")
    for make in (S4D, S5, S4, LSSL):
        for length in args.lengths:
            layer = make(args.d_model, d_state=args.d_state)
            u = torch.randn(args.batch, length, args.d_model)
            for row in table(layer, u):
                print(row)


def table(layer: Layer, u: torch.Tensor) -> list[str]:
    """One row for each legal execution but the loop."""
    system = layer.system()
    auto = choose(system, u)

    def run(u: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        return layer(u)[0]

    times = {}
    for execution in EXECUTIONS[1:]:
        if why_illegal(system, execution) is None:
            layer.execution = execution
            calls = [make(run, (u, *layer.parameters())) for make in PASSES]
            times[execution] = medians(calls, RUNS)
    rows = []
    for execution, (forward, both) in times.items():
        name = f"**{execution}** (auto)" if execution == auto else execution
        ratio = both / times[auto][1]
        rows.append(
            f"| {type(layer).__name__} | {u.shape[1]} | {name} | {forward:.1f} | {both:.1f} "
            f"| {ratio:.1f} |"
        )
    return rows


if __name__ == "__main__":
    main()
