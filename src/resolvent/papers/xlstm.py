"""xLSTM: exponential gates, and a memory that mixes (sLSTM) or is a matrix (mLSTM)."""

from __future__ import annotations

from resolvent.data.tasks import parity
from resolvent.layers import SLSTM
from resolvent.papers.base import Claim, Paper
from resolvent.papers.tokens import Table, Variant, stack

PARITY = Table(
    parity,
    (
        Variant("sLSTM", stack("SLSTM"), True, "1.00 (scaled)"),
        Variant("mLSTM", stack("MLSTM"), False, "0.09 (scaled)"),
        Variant("Mamba", stack("Mamba"), False, "0.00 (scaled)"),
    ),
    train=40,
    beyond=(256,),
)
"""Scaled accuracies, 0 at chance, at lengths 40 to 256 (table of Grazzi et al. 2025)."""


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
            "an sLSTM tracks parity beyond the trained length; models without memory mixing, whose "
            "eigenvalues are positive, do not",
            PARITY,
            40,
        ),
    ),
)
