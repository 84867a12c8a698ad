"""Mamba: what selection remembers, and what its eigenvalues can count."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from resolvent.data.tasks import TokenTask, induction_heads, parity, selective_copying
from resolvent.layers import Mamba
from resolvent.model import LanguageConfig, LanguageModel
from resolvent.papers.base import Claim, Paper, Row, spread
from resolvent.papers.tokens import accuracy, score

STEPS = 600
"""Optimiser steps of 64 short sequences: what a minute or two allow."""

SOLVED, FAILED = 0.95, 0.75
"""Accuracies from which on, and up to which, a task counts as solved or not."""

Draw = Callable[[int, int], TokenTask]


def _train(layer: str, draw: Draw, seed: int, **options: object) -> tuple[float, LanguageModel]:
    """Two layers of 32 features after the short training; S4D gets the mix that it needs."""
    config = LanguageConfig(
        vocab_size=draw(1, 0).vocab_size,
        d_model=32,
        n_layers=2,
        layers=(layer,),
        layer_options={layer: options},
        mix="glu" if layer == "S4D" else "none",
    )
    return accuracy(config, draw, STEPS, seed, lr=1e-2)


def copying(seeds: Sequence[int]) -> list[Row]:
    """Three items among 24 steps, of four symbols, said in order; chance is 0.25."""

    def draw(n: int, seed: int) -> TokenTask:
        return selective_copying(n, 24, 3, 4, seed)

    found = {x: [_train(x, draw, seed)[0] for seed in seeds] for x in ("Mamba", "S4D")}
    return [
        Row("Mamba, accuracy", "0.998", spread(found["Mamba"]), min(found["Mamba"]) >= SOLVED),
        Row(
            "S4D (S4 in the paper), accuracy",
            "0.183",
            spread(found["S4D"]),
            max(found["S4D"]) <= FAILED,
        ),
    ]


def induction(seeds: Sequence[int]) -> list[Row]:
    """What followed the special token, among 24 steps of eight symbols; chance is 0.125."""

    def draw(n: int, seed: int) -> TokenTask:
        return induction_heads(n, 24, 8, seed)

    def longer(model: LanguageModel, seed: int) -> float:
        return score(model, induction_heads(256, 16 * 24, 8, 2 * seed + 1))

    mamba = [_train("Mamba", draw, seed) for seed in seeds]
    beyond = [longer(model, seed) for seed, (_, model) in zip(seeds, mamba, strict=True)]
    s4d = [_train("S4D", draw, seed)[0] for seed in seeds]
    trained = [a for a, _ in mamba]
    return [
        Row("Mamba, accuracy", "1", spread(trained), min(trained) >= SOLVED),
        Row("Mamba at 16 times the length", "1", spread(beyond), min(beyond) >= SOLVED),
        Row("S4D, accuracy", "not solved", spread(s4d), max(s4d) <= FAILED),
    ]


def negative_eigenvalues(seeds: Sequence[int]) -> list[Row]:
    """Parity of 24 bits after every bit, and of 256; chance is 0.5."""
    rows = []
    for low in (-1, 0):
        models = [
            _train("Mamba", lambda n, s: parity(n, 24, s), seed, eigenvalue_range=(low, 1))[1]
            for seed in seeds
        ]
        found = [score(m, parity(256, 256, 7)) for m in models]
        holds = min(found) >= SOLVED if low else max(found) <= FAILED
        published = "solved" if low else "chance"
        rows.append(
            Row(f"eigenvalues in ({low}, 1), accuracy at 256", published, spread(found), holds)
        )
    return rows


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
            "selection copies items at random places, a time-invariant model does not",
            copying,
            120,
        ),
        Claim(
            "induction-heads",
            "selection learns induction heads and keeps them far beyond the length it was trained "
            "at",
            induction,
            120,
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
    choices="as Mamba, eigenvalues 2 exp(dt A) - 1 in (-1, 1)",
    layer=lambda d_model: Mamba(d_model, eigenvalue_range=(-1, 1)),
    claims=(
        Claim(
            "parity",
            "with negative eigenvalues Mamba counts modulo two beyond its training length, without "
            "it does not",
            negative_eigenvalues,
            240,
        ),
    ),
)
