"""Mamba-3: states that turn count modulo two."""

from __future__ import annotations

from functools import partial

from resolvent.data.tasks import parity
from resolvent.layers import Mamba3
from resolvent.papers.base import Claim, Paper
from resolvent.papers.tokens import Table, Variant, stack, started

PARITY = Table(
    partial(started, parity),
    (
        Variant(
            "states that turn", stack("Mamba3", d_state=16, rotation=1.0, head_dim=8), True, "1.00"
        ),
        Variant(
            "without rotation",
            stack("Mamba3", d_state=16, rotation=0.0, head_dim=8),
            False,
            "0.02 (scaled)",
        ),
    ),
    train=40,
    beyond=(80,),
    steps=600,
    shortest=3,
)

PAPER = Paper(
    name="Mamba-3",
    title="Mamba-3: Improved Sequence Modeling using State Space Principles",
    authors="Aakash Lahoti, Kevin Y. Li, Berlin Chen, Caitlin Wang, Aviv Bick, J. Zico Kolter, "
    "Tri Dao, Albert Gu",
    year=2026,
    venue="International Conference on Learning Representations",
    choices="a scalar a head of p channels, turned by angles in B and C · exponential trapezoid, r "
    "columns a step · dt, A, B, C and angles from the token",
    layer=Mamba3,
    claims=(
        Claim(
            "rotation-counts",
            "with states that turn it tracks parity beyond the trained length, without it does not",
            PARITY,
            180,
        ),
    ),
)
