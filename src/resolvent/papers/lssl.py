"""LSSL: a continuous-time model may be trained at one sampling rate and used at another."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import nn

from resolvent.layers import LSSL, S4, S5, Layer
from resolvent.papers.base import Claim, Paper, Row, spread
from resolvent.papers.small import held_digits, plain_model, score, train
from resolvent.train import seed_all

LIMIT = 0.05
"""Accuracy that may be lost at half the rate: what published S4 loses (96.3 to 91.3, SC35)."""


def sampling_rate(seeds: Sequence[int]) -> list[Row]:
    """Accuracy at the training rate, at half of it with Δ doubled, and with Δ left as it is.

    The digits are held for two steps, so half the rate loses nothing of the signal, and zero-order
    hold with 2 Δ is then exact: the state of a layer that reads the signal is that of every second
    step. The bilinear rule is not: it maps a frequency w to (2/Δ) arctan(w Δ/2), which moves when Δ
    does. Hence LSSL and S4 are tried with both rules.
    """
    systems: dict[str, tuple[str, Callable[[int], Layer]]] = {
        "LSSL": ("-", lambda d: LSSL(d, 32)),
        "LSSL with zero-order hold": ("-", lambda d: LSSL(d, 32, rule="zoh")),
        "S4": ("96.3 → 91.3 (SC35)", lambda d: S4(d, 32)),
        "S4 with zero-order hold": ("-", lambda d: S4(d, 32, rule="zoh")),
        "S5": ("96.5 → 94.5 (SC35)", lambda d: S5(d, 32)),
    }
    split, rows = held_digits(hold=2), []
    half = split.x_test[:, 1::2]
    for name, (published, make_layer) in systems.items():
        full, scaled, unscaled = [], [], []
        for seed in seeds:
            seed_all(seed)
            model = plain_model(make_layer)
            train(model, split, seed)
            full.append(score(model, split.x_test, split.y_test))
            unscaled.append(score(model, half, split.y_test))
            double_steps(model)
            scaled.append(score(model, half, split.y_test))
        before, _, after = published.partition(" → ")
        lost = (sum(full) - sum(scaled)) / len(full)
        holds = lost < LIMIT and sum(scaled) > sum(unscaled)
        rows += [
            Row(f"{name}: trained and tested at full rate", before, spread(full)),
            Row(f"{name}: half rate, Δ doubled", after or "-", spread(scaled), holds),
            Row(f"{name}: half rate, Δ as trained", "-", spread(unscaled)),
        ]
    return rows


@torch.no_grad()
def double_steps(model: nn.Module) -> None:
    """Double every step size.

    In the layers, which stay time-invariant so: factors ``dt`` say the same, but step by step, and
    a dense matrix would be exponentiated for each.
    """
    for module in model.modules():
        if isinstance(module, LSSL | S4 | S5):
            module.log_dt += math.log(2)


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
            600,
        ),
    ),
)
