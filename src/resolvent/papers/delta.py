"""The delta rule: what it recalls, and what products of reflections track beyond the training."""

from __future__ import annotations

from functools import partial
from typing import Any

from resolvent.data.tasks import group_word, multi_query_recall, parity
from resolvent.layers import KDA, DeltaNet, DeltaProduct, GatedDeltaNet
from resolvent.model import LanguageConfig
from resolvent.papers import reflections
from resolvent.papers.base import Claim, Paper
from resolvent.papers.tokens import Table, Variant, stack

TRACKING: dict[str, Any] = {"d_conv": 0, "gain": 10.0}
"""Options with which the delta rule learns to track: keys as projected, and a beta that saturates.

With the gain of 1, training ends when the loss does, while beta is still short of 2: the state
shrinks by |1 - beta| < 1 a write, and is lost some 100 steps beyond the training length.
"""


def tracker(layer: str, **options: Any) -> LanguageConfig:
    """One layer and a network of 64 features, with the options that learn to track."""
    return stack(layer, "MLP", d_model=64, **TRACKING | options)


PARITY = Table(
    parity,
    (
        Variant(
            "DeltaNet in (-1, 1)", tracker("DeltaNet", eigenvalue_range=(-1, 1)), True, "solved"
        ),
        Variant("DeltaNet in (0, 1)", tracker("DeltaNet"), False, "0.02 (scaled)"),
        Variant(
            "DeltaNet in (-1, 1), gain 1, convolution",
            tracker("DeltaNet", eigenvalue_range=(-1, 1), gain=1.0, d_conv=4),
        ),
    ),
    train=40,
    beyond=(256, 1000),
    lr=1e-3,
)

MODULO_THREE = Table(
    partial(group_word, group="Z3"),
    (
        Variant("DeltaProduct, two writes", tracker("DeltaProduct"), True, "solved"),
        Variant(
            "DeltaNet in (-1, 1)",
            tracker("DeltaNet", eigenvalue_range=(-1, 1)),
            False,
            "not solved",
        ),
        Variant(
            "Mamba in (-1, 1)",
            stack("Mamba", "MLP", d_model=64, eigenvalue_range=(-1, 1)),
            False,
            "not solved",
        ),
    ),
    train=40,
    beyond=(256,),
    steps=800,
    lr=3e-3,
)
"""A turn by a third: two reflections make it, real eigenvalues do not."""

S3 = Table(
    partial(group_word, group="S3"),
    (
        Variant("two writes in (-1, 1)", tracker("DeltaProduct"), True, "solved"),
        Variant("one write in (-1, 1)", tracker("DeltaProduct", writes=1), False, "not solved"),
        Variant(
            "two writes in (0, 1)",
            tracker("DeltaProduct", eigenvalue_range=(0, 1)),
            False,
            "not solved",
        ),
    ),
    train=40,
    beyond=(64, 128, 256),
    steps=800,
    lr=3e-3,
)

RECALL = Table(
    partial(multi_query_recall, pairs=16, symbols=64),
    tuple(
        Variant(label, stack(layer, "MLP", depth=2, n_heads=1, **options))
        for label, layer, options in (
            ("DeltaNet", "DeltaNet", {}),
            ("linear attention", "LinearAttention", {"decay": "none"}),
            ("gated linear attention", "LinearAttention", {"decay": "gated"}),
        )
    ),
    train=64,
    steps=800,
    lr=3e-3,
    first="DeltaNet",
)
"""States of 32 x 32, one head."""

COUNTING = (
    Claim(
        "parity-delta",
        "with negative eigenvalues DeltaNet, trained on parity of 40 bits, counts 1,000; with "
        "positive ones it does not",
        PARITY,
        200,
    ),
    Claim(
        "modulo-three",
        "counting modulo three needs matrices that are not triangular: products of two reflections "
        "do it, real eigenvalues and single reflections do not",
        MODULO_THREE,
        400,
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
            400,
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
            "trained on words of 40, two writes in (-1, 1) extrapolate to 256; one write, and "
            "positive eigenvalues, do not",
            S3,
            500,
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
