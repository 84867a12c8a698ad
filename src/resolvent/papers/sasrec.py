"""SASRec: what a user takes next, by attention over what was taken before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from resolvent.data.interactions import Part, leave_last_out, two_threads
from resolvent.data.tokens import LabelledTokens, make_token_loader
from resolvent.model import LanguageConfig, LanguageModel
from resolvent.papers.base import Claim, Paper, Row, spread
from resolvent.train import (
    FitResult,
    ItemLearner,
    NextItem,
    Source,
    TrainConfig,
    evaluate,
    fit,
    ranking_metrics,
    seed_all,
)


def sasrec_config(n_items: int, **changes: object) -> LanguageConfig:
    """The paper's model: two blocks of attention and network, one head, 50 features, items tied.

    Positions are rotary where the paper learns one vector a place.
    """
    fields: dict = {
        "vocab_size": n_items,
        "d_model": 50,
        "n_layers": 4,
        "layers": ("Attention", "MLP"),
        "layer_options": {"Attention": {"n_heads": 1}, "MLP": {"expand": 1}},
        "dropout": 0.2,
    }
    return LanguageConfig(**{**fields, **changes})


def recommend(
    sequences: list[np.ndarray], config: LanguageConfig, train: TrainConfig
) -> tuple[LanguageModel, dict[str, float], FitResult]:
    """Train a model of next items on all but the users' last two, and test it on their last one.

    Args:
        sequences: item numbers of each user, below the config's vocab_size.
        config: the model; `sasrec_config`, or any pattern of layers.
        train: how it is trained; the epoch with the best validation score is kept.

    Returns:
        The model, its test scores, and how the training went.
    """
    seed_all(train.seed)
    model = LanguageModel(config)
    learned, valid, test = (
        cast(
            Source,
            make_token_loader(LabelledTokens(*part), train.batch_size, train.seed, shuffle=i == 0),
        )
        for i, part in enumerate(leave_last_out(sequences))
    )
    learner, task = ItemLearner(model), NextItem()
    result = fit(learner, learned, valid, task, train, quiet=True)
    return model, evaluate(learner, test, task), result


def popularity(train: list[np.ndarray], test: Part, n_items: int) -> np.ndarray:
    """Scores (n, n_items): how often each item was taken."""
    counts = np.bincount(np.concatenate(train), minlength=n_items).astype(float)
    return np.tile(counts, (len(test.x), 1))


def last_item(train: list[np.ndarray], test: Part, n_items: int) -> np.ndarray:
    """Scores (n, n_items): how often each item followed the user's last one, then popularity."""
    follows = np.zeros((n_items, n_items))
    for s in train:
        np.add.at(follows, (s[:-1], s[1:]), 1.0)
    share = popularity(train, test, n_items)
    return follows[[s[-1] for s in test.x]] + share / (share.sum(1, keepdims=True) + 1)


def beats_baselines(seeds: Sequence[int]) -> list[Row]:
    """2,000 users of about 20 of 50 items; two threads in turn, a fifth of the items at random."""
    found: dict[str, list[dict[str, float]]] = {}
    for seed in seeds:
        sequences = two_threads(2000, 24, seed=seed)
        train, (_, _, test) = [s[:-2] for s in sequences], leave_last_out(sequences)
        for name, scores in (("popularity", popularity), ("last item", last_item)):
            found.setdefault(name, []).append(
                ranking_metrics(scores(train, test, 50), np.asarray(test.y))
            )
        settings = TrainConfig(epochs=8, batch_size=64, lr=5e-3, seed=seed)
        found.setdefault("SASRec", []).append(recommend(sequences, sasrec_config(50), settings)[1])
    rows = []
    for name, scores in found.items():
        values = [x["ndcg@10"] for x in scores]
        rows.append(Row(f"{name}: NDCG@10 among all items", "-", spread(values)))
    least = min(x["ndcg@10"] for x in found["SASRec"])
    most = max(x["ndcg@10"] for name in ("popularity", "last item") for x in found[name])
    ratio = least / most
    rows.append(Row("worst seed of SASRec over best baseline", "> 1", f"{ratio:.3g}", ratio > 1))
    return rows


PAPER = Paper(
    name="SASRec",
    title="Self-Attentive Sequential Recommendation",
    authors="Wang-Cheng Kang, Julian McAuley",
    year=2018,
    venue="IEEE International Conference on Data Mining",
    choices="attention and a network in turn, one head · items are tokens · loss over all items "
    "where the paper draws one negative · ranks among all items",
    claims=(
        Claim(
            "next-item",
            "attention over a user's items says the next one better than popularity and than a "
            "Markov chain of the last item",
            beats_baselines,
            120,
        ),
    ),
)
