"""LSSL: a continuous-time model may be trained at one sampling rate and used at another."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from resolvent.layers import LSSL, S4, S5, Layer
from resolvent.papers.base import Claim, Paper, Row, spread
from resolvent.papers.small import held_digits, plain_model, score, train
from resolvent.train import seed_all


def sampling_rate(seeds: Sequence[int]) -> list[Row]:
    """Accuracy at the training rate, at half of it with Δ doubled, and with Δ left as it is."""
    systems: dict[str, tuple[str, Callable[[int], Layer]]] = {
        "LSSL": ("-", lambda d: LSSL(d, 32)),
        "S4": ("96.3 → 91.3 (SC35)", lambda d: S4(d, 32)),
        "S5": ("96.5 → 94.5 (SC35)", lambda d: S5(d, 32)),
    }
    split, rows = held_digits(hold=2), []
    for name, (published, make_layer) in systems.items():
        scores: dict[str, list[float]] = {"full": [], "scaled": [], "unscaled": []}
        for seed in seeds:
            seed_all(seed)
            model = plain_model(make_layer)
            train(model, split, seed)
            half = split.x_test[:, 1::2]
            double = torch.full(half.shape[:2], 2.0)
            scores["full"].append(score(model, split.x_test, split.y_test))
            scores["scaled"].append(score(model, half, split.y_test, dt=double))
            scores["unscaled"].append(score(model, half, split.y_test))
        mean = {k: sum(v) / len(v) for k, v in scores.items()}
        holds = mean["full"] - mean["scaled"] < 0.05 and mean["scaled"] > mean["unscaled"]
        rows += [
            Row(
                f"{name}: trained and tested at full rate",
                published.split(" →")[0],
                spread(scores["full"]),
            ),
            Row(
                f"{name}: half rate, Δ doubled",
                published.split("→ ")[-1],
                spread(scores["scaled"]),
                holds,
            ),
            Row(f"{name}: half rate, Δ as trained", "-", spread(scores["unscaled"])),
        ]
    return rows


PAPER = Paper(
    name="LSSL",
    title="Combining Recurrent, Convolutional, and Continuous-time Models with Linear State-Space "
    "Layers",
    authors="Albert Gu, Isys Johnson, Karan Goel, Khaled Saab, Tri Dao, Atri Rudra, Christopher Ré",
    year=2021,
    venue="Advances in Neural Information Processing Systems",
    choices="dense, one matrix for all features · HiPPO · generalised bilinear, a step size a "
    "feature · time-invariant",
    layer=LSSL,
    claims=(
        Claim(
            "sampling-rate",
            "trained at one sampling rate, a model works at half of it once Δ is doubled",
            sampling_rate,
            150,
        ),
    ),
)
