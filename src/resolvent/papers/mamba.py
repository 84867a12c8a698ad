"""Mamba: what selection remembers, and what its eigenvalues can count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from resolvent.data.tasks import TokenTask, induction_heads, selective_copying
from resolvent.layers import Mamba
from resolvent.model import LanguageConfig, LanguageModel
from resolvent.papers import delta
from resolvent.papers.base import Claim, Paper, Row, spread
from resolvent.papers.parity import Variant, track
from resolvent.papers.tokens import accuracy, score

STEPS = 600
"""Optimiser steps of 64 short sequences: what a minute or two allow."""

SOLVED, FAILED = 0.85, 0.65
"""Accuracies from which on, and up to which, a task counts as solved or not."""

Draw = Callable[[int, int], TokenTask]


def _train(layer: str, draw: Draw, seed: int) -> tuple[float, LanguageModel]:
    """Two layers of 32 features after the short training; S4D gets the mix that it needs."""
    config = LanguageConfig(
        vocab_size=draw(1, 0).vocab_size,
        d_model=32,
        n_layers=2,
        layers=(layer,),
        mix="glu" if layer == "S4D" else "none",
    )
    return accuracy(config, draw, STEPS, seed, lr=1e-2)


def _rows(
    task: Callable[[int, int, int], TokenTask],
    beyond: int,
    seeds: Sequence[int],
    published: tuple[str, str],
) -> list[Row]:
    """Mamba and S4D, trained at 24 steps, there and at ``beyond`` steps."""
    rows = []
    for layer, says in zip(("Mamba", "S4D"), published, strict=True):
        runs = [_train(layer, lambda n, s: task(n, 24, s), seed) for seed in seeds]
        near = [a for a, _ in runs]
        far = [
            score(m, task(256, beyond, 2 * s + 1)) for s, (_, m) in zip(seeds, runs, strict=True)
        ]
        solved = layer == "Mamba"
        holds = min(far) >= SOLVED if solved else max(far) <= FAILED
        rows.append(Row(f"{layer}, accuracy at 24 steps", "-", spread(near)))
        rows.append(Row(f"{layer}, accuracy at {beyond} steps", says, spread(far), holds))
    return rows


def copying(seeds: Sequence[int]) -> list[Row]:
    """Three items of four symbols among noise, said in order; chance is 0.25."""
    return _rows(
        lambda n, length, seed: selective_copying(n, length, 3, 4, seed),
        96,
        seeds,
        ("0.998 (at 4,096)", "0.183 (S4, at 4,096)"),
    )


def induction(seeds: Sequence[int]) -> list[Row]:
    """What followed the special token, among eight symbols; chance is 0.125."""
    return _rows(
        lambda n, length, seed: induction_heads(n, length, 8, seed), 384, seeds, ("1", "fails")
    )


COUNTING = {
    "eigenvalues in (-1, 1)": Variant("Mamba", {"eigenvalue_range": (-1, 1)}, "solved", True),
    "eigenvalues in (0, 1)": Variant("Mamba", {}, "chance", False),
}


PAPER = Paper(
    name="Mamba",
    title="Mamba: Linear-Time Sequence Modeling with Selective State Spaces",
    authors="Albert Gu, Tri Dao",
    year=2023,
    venue="Conference on Language Modeling (2024)",
    choices="diagonal, real, a system a feature · -1 .. -n · exp for A, Euler for B · dt, B and C "
    "from the token",
    layer=Mamba,
    claims=(
        Claim(
            "selective-copying",
            "selection copies items at whatever places; a time-invariant model of this size learns "
            "the places of its training length alone",
            copying,
            200,
        ),
        Claim(
            "induction-heads",
            "selection learns induction heads and keeps them far beyond the length it was trained "
            "at",
            induction,
            200,
        ),
    ),
)

NEGATIVE = Paper(
    name="Mamba-negative",
    title="Unlocking State-Tracking in Linear RNNs Through Negative Eigenvalues",
    authors="Riccardo Grazzi, Julien Siems, Jörg K.H. Franke, Arber Zela, Frank Hutter, "
    "Massimiliano Pontil",
    year=2025,
    venue="International Conference on Learning Representations",
    choices="as Mamba, eigenvalues 2 exp(dt A) - 1 in (-1, 1); DeltaNet with beta up to 2",
    layer=lambda d_model: Mamba(d_model, eigenvalue_range=(-1, 1)),
    claims=(
        Claim(
            "parity",
            "with negative eigenvalues Mamba counts modulo two beyond its training length, without "
            "it does not",
            partial(track, COUNTING),
            120,
        ),
        *delta.COUNTING,
    ),
)
