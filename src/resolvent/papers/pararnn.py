"""ParaRNN: nonlinear recurrences over whole sequences, by Newton's method on linear scans."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from resolvent.execute import Solution, newton
from resolvent.layers import NonlinearLayer, ParaGRU, ParaLSTM
from resolvent.papers.base import Claim, Paper, Row, spread

STEPS = (16, 64, 256, 1024)
FEATURES = 64
CELLS = {"ParaGRU": ParaGRU, "ParaLSTM": ParaLSTM}


def iterations(seeds: Sequence[int]) -> list[Row]:
    """Newton steps to the default tolerance in float64, and the distance to the loop."""
    rows = []
    for name, make in CELLS.items():
        for scale in (1.0, 3.0):
            taken, errors, status = [], [], set()
            for seed in seeds:
                torch.manual_seed(seed)
                layer = make(16).double()
                with torch.no_grad():
                    layer.a.mul_(scale)
                    u = torch.randn(2, 2048, 16, dtype=torch.float64)
                    found = _solve(layer, u)
                    layer.execution = "loop"
                    expected = layer(u)[0]
                taken.append(found.iterations)
                errors.append(float((layer.output(found.h) - expected).abs().max()))
                status.add(found.status)
            fine = status == {"converged"} and max(errors) < 1e-9
            size = "as initialised" if scale == 1 else f"recurrent weights {scale:g} times that"
            few = fine and max(taken) <= 6 if scale == 1 else fine
            published = "3 (fixed, tolerance unused)" if scale == 1 else "-"
            rows += [
                Row(f"{name}, {size}: iterations over 2,048 steps", published, spread(taken), few),
                Row(f"{name}, {size}: largest error", "-", f"{max(errors):.1e}", fine),
            ]
    return rows


def crossover(seeds: Sequence[int]) -> list[Row]:
    """Times of forward and backward in float32, Newton's method against the loop over steps."""
    rows = []
    for name, make in CELLS.items():
        torch.manual_seed(min(seeds))
        layer, ratios = make(FEATURES), {}
        for length in STEPS:
            u = torch.randn(4, length, FEATURES)
            times = {}
            for layer.execution in ("newton", "loop"):
                times[layer.execution] = _seconds(lambda u=u, layer=layer: layer(u)[0])
            ratios[length] = times["loop"] / times["newton"]
        faster = [length for length, ratio in ratios.items() if ratio > 1]
        said = ", ".join(f"{length:,}: {ratio:.2g}" for length, ratio in ratios.items())
        since = f"from {faster[0]:,} steps on" if faster else "never"
        rows += [
            Row(f"{name}: loop / Newton in time, by length", "up to 665 (GPU)", said),
            Row(f"{name}: Newton is faster", "at long lengths", since, ratios[STEPS[-1]] > 1),
        ]
    return rows


def _solve(layer: NonlinearLayer, u: Tensor) -> Solution:
    return newton(layer.cell, layer.inputs(u), layer.initial_state(len(u)).h, block=layer.block)


def _seconds(run: Callable[[], Tensor], repeats: int = 2) -> float:
    """Shortest time of a forward and backward pass."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        run().sum().backward()
        best = min(best, time.perf_counter() - start)
    return best


PAPER = Paper(
    name="ParaRNN",
    title="ParaRNN: Unlocking Parallel Training of Nonlinear RNNs for Large Language Models",
    authors="Federico Danieli, Pau Rodriguez, Miguel Sarabia, Xavier Suau, Luca Zappella",
    year=2025,
    venue="arXiv:2510.21450",
    choices="a cell whose Jacobian is diagonal (ParaGRU) or 2 x 2 blocks (ParaLSTM) · Newton's "
    "method over the fused scan, to a tolerance, with a sequential fallback · input-dependent",
    layer=ParaGRU,
    claims=(
        Claim(
            "few-iterations",
            "Newton's method finds the trajectory of the loop in a few iterations",
            iterations,
            60,
        ),
        Claim(
            "crossover",
            "All steps at once are faster than one after the other, where sequences are long",
            crossover,
            20,
        ),
    ),
)
