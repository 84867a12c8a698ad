"""Mamba: what selection remembers, and what its eigenvalues can count."""

from __future__ import annotations

from functools import partial

from resolvent.data.tasks import induction_heads, parity, selective_copying
from resolvent.layers import Mamba
from resolvent.papers import delta
from resolvent.papers.base import Claim, Paper
from resolvent.papers.tokens import Table, Variant, stack

SELECTIVE, INVARIANT = stack("Mamba", depth=2), stack("S4D", "MLP", depth=2)

COPYING = Table(
    partial(selective_copying, items=3, symbols=4),
    (
        Variant("Mamba", SELECTIVE, True, "0.998 (at 4,096)"),
        Variant("S4D", INVARIANT, False, "0.183 (S4, at 4,096)"),
    ),
    train=24,
    beyond=(96,),
    steps=900,
    solved=0.85,
    failed=0.65,
)
"""Three items among noise, said in order; chance is 0.25."""

INDUCTION = Table(
    partial(induction_heads, symbols=8),
    (Variant("Mamba", SELECTIVE, True, "1"), Variant("S4D", INVARIANT, False, "fails")),
    train=48,
    beyond=(96, 384),
    steps=900,
    solved=0.85,
    failed=0.65,
)
"""What followed the special token; chance is 0.125."""

PARITY = Table(
    parity,
    (
        Variant("eigenvalues in (-1, 1)", stack("Mamba", eigenvalue_range=(-1, 1)), True, "solved"),
        Variant("eigenvalues in (0, 1)", stack("Mamba"), False, "chance"),
    ),
    train=40,
    beyond=(256,),
)


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
            COPYING,
            120,
        ),
        Claim(
            "induction-heads",
            "selection learns induction heads and keeps them far beyond the length it was trained "
            "at",
            INDUCTION,
            220,
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
            PARITY,
            60,
        ),
        *delta.COUNTING,
    ),
)
