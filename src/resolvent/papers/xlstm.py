"""xLSTM: exponential gates, and a memory that mixes (sLSTM) or is a matrix (mLSTM)."""

from __future__ import annotations

from collections.abc import Sequence

from resolvent.data.tasks import EXTRAPOLATIONS, TokenTask
from resolvent.layers import SLSTM
from resolvent.model import LanguageConfig
from resolvent.papers.base import Claim, Paper, Row, spread
from resolvent.papers.tokens import accuracy, score

PUBLISHED = {"SLSTM": "1.00", "MLSTM": "0.09", "Mamba": "0.00"}
"""Scaled accuracies, 0 at chance, at lengths 40 to 256 (table of Grazzi et al. 2025)."""


def parity(seeds: Sequence[int]) -> list[Row]:
    """Accuracy on parity at the trained length 40 and at 256, one layer, 300 steps of 64."""
    task, rows = EXTRAPOLATIONS["parity"], []

    def draw(n: int, seed: int, length: int = task.train) -> TokenTask:
        return task.make(n, length, seed=seed)

    for layer, published in PUBLISHED.items():
        config = LanguageConfig(2, d_model=32, n_layers=1, layers=(layer,), tied=False)
        short, long = [], []
        for seed in seeds:
            found, model = accuracy(config, draw, 300, seed, lr=1e-2)
            short.append(found)
            long.append(score(model, draw(256, 2 * seed + 1, task.test)))
        tracks = layer == "SLSTM"
        fine = min(long) > 0.99 if tracks else max(long) < 0.7
        name = f"{layer}: accuracy after"
        rows += [
            Row(f"{name} {task.train} steps, as trained", "-", spread(short)),
            Row(f"{name} {task.test} steps", f"{published} (scaled)", spread(long), fine),
        ]
    return rows


PAPER = Paper(
    name="xLSTM",
    title="xLSTM: Extended Long Short-Term Memory",
    authors="Maximilian Beck, Korbinian Pöppel, Markus Spanring, Andreas Auer, "
    "Oleksandra Prudnikova, Michael Kopp, Günter Klambauer, Johannes Brandstetter, "
    "Sepp Hochreiter",
    year=2024,
    venue="Advances in Neural Information Processing Systems",
    choices="sLSTM: a nonlinear cell, gates that see h within a head · mLSTM: one decay a head and "
    "a matrix memory · logarithms tracked beside the state · input-dependent",
    layer=SLSTM,
    claims=(
        Claim(
            "state-tracking",
            "sLSTM tracks parity beyond the trained length; models without memory mixing, whose "
            "eigenvalues are positive, do not",
            parity,
            180,
        ),
    ),
)
