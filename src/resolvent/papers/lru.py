"""LRU: a linear recurrence on a ring, with its input normalised."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from resolvent.layers import LRU
from resolvent.papers.base import Claim, Paper, Row, spread


def normalisation(seeds: Sequence[int]) -> list[Row]:
    """Energy of the states on white noise, with γ and without, for a ring close to the circle."""
    with_gamma, without = [], []
    for seed in seeds:
        torch.manual_seed(seed)
        layer = LRU(16, 256, r_min=0.9, r_max=0.999).double()
        u = torch.randn(4, 4096, 16, dtype=torch.float64)
        with torch.no_grad():
            with_gamma.append(_energy(layer, u))
            layer.gamma.zero_()
            without.append(_energy(layer, u))
    near_one = all(0.5 < e < 2 for e in with_gamma)
    return [
        Row("mean |h|² per unit of input energy, with γ", "1", spread(with_gamma), near_one),
        Row("mean |h|² per unit of input energy, without γ", "blows up", spread(without)),
    ]


def _energy(layer: LRU, u: torch.Tensor) -> float:
    _, state = layer(u)
    return float(state.h.square().sum(-1).mean())


PAPER = Paper(
    name="LRU",
    title="Resurrecting Recurrent Neural Networks for Long Sequences",
    authors="Antonio Orvieto, Samuel L. Smith, Albert Gu, Anushan Fernando, Caglar Gulcehre, "
    "Razvan Pascanu, Soham De",
    year=2023,
    venue="International Conference on Machine Learning",
    choices="diagonal in conjugate halves, dense B and C · ring · born discrete, input scaled by "
    "sqrt(1 - |λ|²) · time-invariant",
    layer=LRU,
    claims=(
        Claim(
            "normalisation",
            "γ keeps the states' energy that of the input near the unit circle",
            normalisation,
            10,
        ),
    ),
)
