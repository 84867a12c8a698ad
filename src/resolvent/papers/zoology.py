"""Zoology: recall of many keys, by the width of a model."""

from __future__ import annotations

from functools import partial

from resolvent.data.tasks import multi_query_recall
from resolvent.papers.base import Claim, Paper
from resolvent.papers.tokens import Table, Variant, stack

NARROW, WIDE = (
    Variant(f"Mamba, {width} features", stack("Mamba", d_model=width, depth=2)) for width in (8, 32)
)

RECALL = Table(
    partial(multi_query_recall, pairs=4, symbols=16),
    (NARROW, WIDE),
    train=16,
    steps=1000,
    lr=3e-3,
    first=WIDE.label,
)
"""Four of eight keys with values, then asked in any order; chance is about 0.3."""

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
            RECALL,
            150,
        ),
    ),
)
