"""Zoology: recall of many keys, by the width of a model."""

from __future__ import annotations

from functools import partial

from resolvent.data.tasks import multi_query_recall
from resolvent.papers.base import Claim, Paper
from resolvent.papers.tokens import Table, Variant, stack, together

RECALL = partial(multi_query_recall, pairs=4, symbols=16)
"""Four of eight keys with values, then asked in any order; chance is about 0.3."""

MAMBA, ATTENTION = (
    tuple(
        Variant(f"{layers[0]}, {width} features", stack(*layers, d_model=width, depth=2))
        for width in (8, 32)
    )
    for layers in (("Mamba",), ("Attention", "MLP"))
)

WIDTHS = together(
    Table(RECALL, MAMBA, train=16, first=MAMBA[1].label), Table(RECALL, ATTENTION, train=16)
)

PAPER = Paper(
    name="Zoology",
    title="Zoology: Measuring and Improving Recall in Efficient Language Models",
    authors="Simran Arora, Sabri Eyuboglu, Aman Timalsina, Isys Johnson, Michael Poli, James Zou, "
    "Atri Rudra, Christopher Ré",
    year=2024,
    venue="International Conference on Learning Representations",
    choices="a task, multi-query associative recall, for any mixer",
    claims=(
        Claim(
            "recall-by-width",
            "how many keys a recurrent model recalls depends on its width",
            WIDTHS,
            120,
        ),
    ),
)
