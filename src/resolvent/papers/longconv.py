"""Long convolutions: what the soft threshold leaves of an initial kernel."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from resolvent.layers import LongConv
from resolvent.papers.base import Claim, Paper, Row, spread

DEVIATION = 0.002
"""Of the initial taps."""


def survival(seeds: Sequence[int]) -> list[Row]:
    """Share of taps that are not zero at the start, against erfc(lambda / (sigma sqrt 2))."""
    rows = []
    for squash in (0.001, 0.002, 0.004):
        expected = math.erfc(squash / (DEVIATION * 2**0.5))
        found = []
        for seed in seeds:
            torch.manual_seed(seed)
            kernel = LongConv(64, 2048, squash).kernel(2048)
            found.append(float((kernel != 0).float().mean()))
        # three standard deviations of a share of 131,072 taps
        holds = all(abs(x - expected) < 0.005 for x in found)
        rows.append(Row(f"taps left at lambda {squash:g}", f"{expected:.3f}", spread(found), holds))
    return rows


PAPER = Paper(
    name="LongConv",
    title="Simple Hardware-Efficient Long Convolutions for Sequence Modeling",
    authors="Daniel Y. Fu, Elliot L. Epstein, Eric Nguyen, Armin W. Thomas, Michael Zhang, "
    "Tri Dao, Atri Rudra, Christopher Ré",
    year=2023,
    venue="International Conference on Machine Learning",
    choices="no system: a kernel a feature, learned tap by tap · normal of deviation 0.002 · soft "
    "threshold, moving average · the last n inputs are the state",
    layer=LongConv,
    claims=(
        Claim(
            "squash",
            "the soft threshold keeps a share of the initial kernel that theory gives",
            survival,
            3,
        ),
    ),
)
