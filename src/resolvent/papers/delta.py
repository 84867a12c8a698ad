"""The delta rule: what it recalls, and what products of reflections track beyond the training."""

from __future__ import annotations

from functools import partial
from typing import Any

from resolvent.data.tasks import group_word, multi_query_recall, parity
from resolvent.layers import KDA, DeltaNet, DeltaProduct, GatedDeltaNet
from resolvent.papers import reflections
from resolvent.papers.base import Claim, Paper
from resolvent.papers.tokens import Table, Variant, stack, started

TRACKING: dict[str, Any] = {"d_conv": 0, "gain": 4.0}
"""Options with which the delta rule learns to track: keys as projected, and a beta that saturates.

With the gain of 1, training ends when the loss does, while beta is still short of 2: the state
shrinks by |1 - beta| < 1 a write, and is lost some 100 steps beyond the training length.
"""
SHARP: dict[str, Any] = {**TRACKING, "gain": 10.0}


PARITY = Table(
    partial(started, parity),
    (
        Variant(
            "DeltaNet in (-1, 1)",
            stack("DeltaNet", eigenvalue_range=(-1, 1), **SHARP),
            True,
            "solved",
        ),
        Variant(
            "DeltaNet in (0, 1)",
            stack("DeltaNet", **SHARP),
            False,
            "0.02 (scaled)",
        ),
        Variant(
            "DeltaNet in (-1, 1), gain 1, convolution",
            stack("DeltaNet", eigenvalue_range=(-1, 1)),
        ),
    ),
    train=40,
    beyond=(256, 1000),
    shortest=3,
)

MODULO_THREE = Table(
    partial(started, partial(group_word, group="Z3")),
    (
        Variant(
            "DeltaProduct, two writes", stack("DeltaProduct", "MLP", **TRACKING), True, "solved"
        ),
        Variant(
            "DeltaNet in (-1, 1)",
            stack("DeltaNet", "MLP", eigenvalue_range=(-1, 1), **TRACKING),
            False,
            "not solved",
        ),
        Variant(
            "Mamba in (-1, 1)", stack("Mamba", "MLP", eigenvalue_range=(-1, 1)), False, "not solved"
        ),
    ),
    train=40,
    beyond=(128, 256),
    steps=800,
    lr=3e-3,
    shortest=3,
)
"""A turn by a third: two reflections make it, real eigenvalues do not."""

S3 = Table(
    partial(started, partial(group_word, group="S3")),
    (
        Variant("two writes in (-1, 1)", stack("DeltaProduct", "MLP", **TRACKING), True, "solved"),
        Variant(
            "one write in (-1, 1)",
            stack("DeltaProduct", "MLP", writes=1, **TRACKING),
            False,
            "not solved",
        ),
        Variant(
            "two writes in (0, 1)",
            stack("DeltaProduct", "MLP", eigenvalue_range=(0, 1), **TRACKING),
            False,
            "not solved",
        ),
        Variant(
            "two layers of one write in (-1, 1)",
            stack("DeltaProduct", "MLP", depth=2, writes=1, **TRACKING),
        ),
    ),
    train=40,
    beyond=(64, 128, 256),
    steps=800,
    lr=3e-3,
    shortest=3,
    first="two writes in (-1, 1)",
)

RECALL = Table(
    partial(multi_query_recall, pairs=4, symbols=16),
    (
        Variant("DeltaNet", stack("DeltaNet", "MLP", depth=2, n_heads=1, d_conv=0)),
        Variant(
            "linear attention",
            stack("LinearAttention", "MLP", depth=2, n_heads=1, decay="none"),
        ),
        Variant(
            "gated linear attention",
            stack("LinearAttention", "MLP", depth=2, n_heads=1, decay="gated"),
        ),
    ),
    train=16,
    steps=1000,
    lr=3e-3,
    first="DeltaNet",
)
"""States of 32 x 32, one head, no convolution in either."""

COUNTING = (
    Claim(
        "parity-delta",
        "with negative eigenvalues DeltaNet, trained on parity of 40 bits, counts 1,000; with "
        "positive ones it does not",
        PARITY,
        60,
    ),
    Claim(
        "modulo-three",
        "counting modulo three needs matrices that are not triangular: products of two reflections "
        "do it, real eigenvalues and single reflections do not",
        MODULO_THREE,
        200,
    ),
)
"""Claims of Grazzi et al. 2025 about the delta rule."""

DELTA_NET = Paper(
    name="DeltaNet",
    title="Parallelizing Linear Transformers with the Delta Rule over Sequence Length",
    authors="Songlin Yang, Bailin Wang, Yu Zhang, Yikang Shen, Yoon Kim",
    year=2024,
    venue="Advances in Neural Information Processing Systems",
    choices="a Householder matrix a head of p channels · born discrete · keys, values, queries and "
    "beta from the token",
    layer=DeltaNet,
    claims=(
        Claim(
            "recall",
            "replacing what a key recalled keeps more pairs of a key and a value than adding to it",
            RECALL,
            200,
        ),
    ),
)
GATED = Paper(
    name="GatedDeltaNet",
    title="Gated Delta Networks: Improving Mamba2 with Delta Rule",
    authors="Songlin Yang, Jan Kautz, Ali Hatamizadeh",
    year=2025,
    venue="International Conference on Learning Representations",
    choices="as DeltaNet, after a decay a head",
    layer=GatedDeltaNet,
)
PRODUCT = Paper(
    name="DeltaProduct",
    title="DeltaProduct: Improving State-Tracking in Linear RNNs via Householder Products",
    authors="Julien Siems, Timur Carstensen, Arber Zela, Frank Hutter, Massimiliano Pontil, "
    "Riccardo Grazzi",
    year=2025,
    venue="Advances in Neural Information Processing Systems",
    choices="a product of Householder matrices a head · several writes a step",
    layer=DeltaProduct,
    claims=(
        Claim(
            "reflections",
            "one layer tracks a group with as many writes a step as its hardest element has "
            "reflections: swaps one, S3, S4 and A5 two, S5 four",
            reflections.words,
            20,
        ),
        Claim(
            "a-million-bits",
            "one number and one reflection count parity exactly, at any length",
            reflections.counting,
            5,
        ),
        Claim(
            "words-of-S3",
            "trained on words of 40, two writes in (-1, 1) extrapolate to 256; one write, positive "
            "eigenvalues, and two layers of one write do not",
            S3,
            270,
        ),
    ),
)
KIMI = Paper(
    name="KDA",
    title="Kimi Linear: An Expressive, Efficient Attention Architecture",
    authors="Kimi Team",
    year=2025,
    venue="arXiv:2510.26692",
    choices="as Gated DeltaNet, with a decay for every key channel",
    layer=KDA,
)
