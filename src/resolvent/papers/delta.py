"""The delta rule: what it recalls, and what products of reflections track beyond the training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from resolvent.data.tasks import TokenTask, group_word, multi_query_recall, parity
from resolvent.layers import KDA, DeltaNet, DeltaProduct, GatedDeltaNet
from resolvent.model import LanguageConfig
from resolvent.papers import reflections
from resolvent.papers.base import Claim, Paper, Row, spread
from resolvent.papers.tokens import accuracy, score

SOLVED, FAILED = 0.99, 0.75
"""Accuracies from which on, and up to which, a task counts as solved or not."""

TRACKING: dict[str, Any] = {"d_conv": 0, "gain": 10.0}
"""Options with which the delta rule learns to track: keys as projected, and a beta that saturates.

With the gain of 1, training ends when the loss does, while beta is still short of 2: the state
shrinks by |1 - beta| < 1 a write, and is lost some 100 steps beyond the training length.
"""

Draw = Callable[[int, int, int], TokenTask]


class Variant(NamedTuple):
    """A layer under test: its name, options, and whether it is to solve the task, None: unknown."""

    label: str
    layer: str
    options: dict[str, Any]
    solves: bool | None


def compare(
    variants: Sequence[Variant],
    draw: Draw,
    beyond: Sequence[int],
    seeds: Sequence[int],
    steps: int = 300,
    lr: float = 1e-3,
) -> list[Row]:
    """One layer and a network, 64 features, trained at 40 steps, tested there and beyond.

    Args:
        variants: what is compared.
        draw: (n, length, seed) -> a task.
        beyond: longer lengths to test at.
        seeds: of weights and data.
        steps: optimiser steps of 64 sequences.
        lr: peak learning rate.
    """
    rows = []
    for label, layer, options, solves in variants:
        config = LanguageConfig(
            draw(1, 1, 0).vocab_size,
            d_model=64,
            n_layers=2,
            layers=(layer, "MLP"),
            layer_options={layer: options, "MLP": {"expand": 2}},
            tied=False,
        )
        found: dict[int, list[float]] = {length: [] for length in (40, *beyond)}
        for seed in seeds:
            near, model = accuracy(config, lambda n, s: draw(n, 40, s), steps, seed, lr=lr)
            found[40].append(near)
            for length in beyond:
                found[length].append(score(model, draw(128, length, 2 * seed + 1)))
        for length, values in found.items():
            holds = None
            if solves is not None and length > 40:
                holds = min(values) >= SOLVED if solves else max(values) <= FAILED
            said = {True: "solved", False: "not solved", None: "-"}[
                None if length == 40 else solves
            ]
            rows.append(Row(f"{label}: accuracy at {length:,} steps", said, spread(values), holds))
    return rows


def parity_of_delta_net(seeds: Sequence[int]) -> list[Row]:
    """Parity at 256 and at 1,000 steps after training at 40, by the range of eigenvalues."""
    negative, positive = ({"eigenvalue_range": (low, 1)} for low in (-1, 0))
    variants = (
        Variant("DeltaNet in (-1, 1)", "DeltaNet", negative | TRACKING, True),
        Variant("DeltaNet in (0, 1)", "DeltaNet", positive | TRACKING, False),
        Variant("DeltaNet in (-1, 1), gain 1, convolution", "DeltaNet", negative, None),
    )
    return compare(variants, lambda n, l, s: parity(n, l, s), (256, 1000), seeds)


def counting_to_three(seeds: Sequence[int]) -> list[Row]:
    """Sums modulo 3: a turn by a third, which two reflections make and real eigenvalues do not."""
    variants = (
        Variant("DeltaProduct, two writes", "DeltaProduct", {"writes": 2, **TRACKING}, True),
        Variant(
            "DeltaNet in (-1, 1)", "DeltaNet", {"eigenvalue_range": (-1, 1), **TRACKING}, False
        ),
        Variant("Mamba in (-1, 1)", "Mamba", {"eigenvalue_range": (-1, 1)}, False),
    )
    return compare(variants, partial(_words, group="Z3"), (256,), seeds, 800, 3e-3)


def words_of_three_things(seeds: Sequence[int]) -> list[Row]:
    """Words of S3 at 256 steps after training at 40, by writes a step and range of eigenvalues."""
    product = {"writes": 2, **TRACKING}
    variants = (
        Variant("two writes in (-1, 1)", "DeltaProduct", product, True),
        Variant("one write in (-1, 1)", "DeltaProduct", {**product, "writes": 1}, False),
        Variant(
            "two writes in (0, 1)", "DeltaProduct", product | {"eigenvalue_range": (0, 1)}, False
        ),
    )
    return compare(variants, partial(_words, group="S3"), (256,), seeds, 800, 3e-3)


def recall(seeds: Sequence[int]) -> list[Row]:
    """Values of 16 keys among 64 steps, states of 32 x 32 a head, one head."""
    rows, least, most = [], 1.0, 0.0
    for layer, options in (
        ("DeltaNet", {"n_heads": 1}),
        ("LinearAttention", {"n_heads": 1, "decay": "none"}),
        ("LinearAttention", {"n_heads": 1, "decay": "gated"}),
    ):
        config = LanguageConfig(
            65, 32, 4, (layer, "MLP"), {layer: options, "MLP": {"expand": 2}}, tied=False
        )
        found = [
            accuracy(config, lambda n, s: multi_query_recall(n, 64, 16, 64, s), 800, seed)[0]
            for seed in seeds
        ]
        label = layer + (f", {options['decay']} decay" if "decay" in options else "")
        if layer == "DeltaNet":
            least = min(found)
        else:
            most = max(most, *found)
        rows.append(Row(f"{label}: values recalled", "-", spread(found)))
    verdict = f"{least:.3f} and {most:.3f}"
    quantity = "worst seed of DeltaNet, and best seed of the others"
    return [*rows, Row(quantity, "more", verdict, least > most)]


def _words(n: int, length: int, seed: int, group: str) -> TokenTask:
    return group_word(n, length, group, seed=seed)


COUNTING = (
    Claim(
        "parity-delta",
        "with negative eigenvalues DeltaNet, trained on parity of 40 bits, counts 1,000; with "
        "positive ones it does not",
        parity_of_delta_net,
        200,
    ),
    Claim(
        "modulo-three",
        "counting modulo three needs matrices that are not triangular: products of two reflections "
        "do it, real eigenvalues and single reflections do not",
        counting_to_three,
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
            recall,
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
            words_of_three_things,
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
