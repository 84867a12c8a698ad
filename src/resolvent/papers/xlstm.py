"""xLSTM: exponential gates, and a memory that mixes (sLSTM) or is a matrix (mLSTM)."""

from __future__ import annotations

from functools import partial

from resolvent.layers import SLSTM
from resolvent.papers.base import Claim, Paper
from resolvent.papers.parity import Variant, track

VARIANTS = {
    "SLSTM": Variant("SLSTM", {}, "1.00 (scaled)", True),
    "MLSTM": Variant("MLSTM", {}, "0.09 (scaled)", False),
    "Mamba": Variant("Mamba", {}, "0.00 (scaled)", False),
}
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
            "sLSTM tracks parity beyond the trained length; models without memory mixing, whose "
            "eigenvalues are positive, do not",
            partial(track, VARIANTS),
            180,
        ),
    ),
)
