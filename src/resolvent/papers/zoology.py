"""Zoology: recall of many keys, by the width of a model."""

from __future__ import annotations

from collections.abc import Sequence

from resolvent.data.tasks import TokenTask, multi_query_recall
from resolvent.model import LanguageConfig
from resolvent.papers.base import Claim, Paper, Row, spread
from resolvent.papers.tokens import accuracy

PAIRS, LENGTH, SYMBOLS, STEPS = 4, 16, 16, 300
WIDTHS = (8, 32)
LAYERS = {"Mamba": ("Mamba",), "Attention": ("Attention", "MLP")}
"""Two of each."""


def recall_by_width(seeds: Sequence[int]) -> list[Row]:
    """Four of eight keys with values, then asked in any order; chance is about 0.3."""

    def draw(n: int, seed: int) -> TokenTask:
        return multi_query_recall(n, LENGTH, PAIRS, SYMBOLS, seed)

    rows, found = [], {}
    for name, layers in LAYERS.items():
        for width in WIDTHS:
            config = LanguageConfig(SYMBOLS + 1, width, 2 * len(layers), layers, tied=False)
            values = [accuracy(config, draw, STEPS, seed, lr=1e-2)[0] for seed in seeds]
            found[name, width] = values
            rows.append(Row(f"{name}, {width} features", "-", spread(values)))
    narrow, wide = (found["Mamba", width] for width in WIDTHS)
    holds = min(wide) > max(narrow)
    return [*rows, Row("Mamba recalls more when it is wider", "yes", str(holds), holds)]


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
            recall_by_width,
            120,
        ),
    ),
)
