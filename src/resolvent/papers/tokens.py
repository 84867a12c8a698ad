"""What claims about token tasks share: a table of models by lengths, and a short training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

import numpy as np
import torch

from resolvent.data.tasks import IGNORED, TokenTask, after_start
from resolvent.data.tokens import LabelledTokens, make_token_loader
from resolvent.model import LanguageConfig, LanguageModel
from resolvent.papers.base import Row, spread
from resolvent.train import Source, TokenLabels, TokenLearner, TrainConfig, fit, seed_all

BATCH = 64
"""Sequences of an optimiser step."""


class Variant(NamedTuple):
    """A model under test.

    Attributes:
        label: what its rows are called.
        model: its config, to which the task gives the vocabulary; `stack` makes them.
        solves: whether it should solve the task; None: it is not judged.
        published: what the paper says of it.
    """

    label: str
    model: LanguageConfig
    solves: bool | None = None
    published: str = "-"


def stack(*layers: str, d_model: int = 32, depth: int = 1, **options: Any) -> LanguageConfig:
    """A pattern of layers, ``depth`` times; the options are the first one's."""
    return LanguageConfig(
        d_model=d_model,
        n_layers=depth * len(layers),
        layers=layers,
        layer_options={layers[0]: options},
        tied=False,  # what a token means and which one is said are two things in these tasks
    )


@dataclass(frozen=True)
class Table:
    """Variants by lengths: each learns at one length, and answers fresh sequences there and beyond.

    The longest length is judged: with every seed, a variant that solves the task is right in at
    least a share ``solved`` there, and one that does not in at most ``failed``.

    Attributes:
        draw: the generator, a function of n, length and seed.
        variants: what is compared.
        train: steps of the sequences that are learned from.
        beyond: longer lengths, ascending.
        steps: optimiser steps.
        lr: peak learning rate.
        solved: accuracy from which on the task counts as solved.
        failed: accuracy up to which it does not.
        shortest: where it is given, training sequences have any length from this one on, which
            teaches first what is asked first.
        first: a label that should be ahead of all others, the worst seed of the best, if given.
    """

    draw: Callable[..., TokenTask]
    variants: tuple[Variant, ...]
    train: int
    beyond: tuple[int, ...] = ()
    steps: int = 300
    lr: float = 1e-2
    solved: float = 0.99
    failed: float = 0.75
    shortest: int | None = None
    first: str | None = None

    def __call__(self, seeds: Sequence[int]) -> list[Row]:
        """Train and test every variant with every seed; one row a variant and length."""
        rows, last = [], {}
        for variant in self.variants:
            found = self.measure(variant, seeds)
            *shorter, longest = found
            rows += [self._row(variant, length, found[length]) for length in shorter]
            judged = self._row(variant, longest, found[longest])
            holds = self._holds(variant, found[longest])
            rows.append(replace(judged, published=variant.published, holds=holds))
            last[variant.label] = found[longest]
        return rows + ([] if self.first is None else [_ahead(self.first, last)])

    def measure(self, variant: Variant, seeds: Sequence[int]) -> dict[int, list[float]]:
        """Accuracies at each length, one a seed."""
        found: dict[int, list[float]] = {length: [] for length in (self.train, *self.beyond)}
        for seed in seeds:
            task = self.draw(BATCH * self.steps, self.train, seed=2 * seed)
            config = replace(variant.model, vocab_size=task.vocab_size)
            learned = ended_early(task, self.shortest or self.train, seed)
            model = trained(config, learned, seed, self.lr)
            for length, values in found.items():
                values.append(score(model, self.draw(256, length, seed=2 * seed + 1)))
        return found

    def _row(self, variant: Variant, length: int, values: Sequence[float]) -> Row:
        return Row(f"{variant.label}: accuracy at {length:,} steps", "-", spread(values))

    def _holds(self, variant: Variant, values: Sequence[float]) -> bool | None:
        if variant.solves is None:
            return None
        return min(values) >= self.solved if variant.solves else max(values) <= self.failed


def started(draw: Callable[..., TokenTask], n: int, length: int, seed: int) -> TokenTask:
    """A task behind a token that writes what the others turn."""
    return after_start(draw(n, length, seed=seed))


def ended_early(task: TokenTask, shortest: int, seed: int) -> LabelledTokens:
    """The sequences of a task, each cut at random to ``shortest`` steps or more."""
    n, length = task.x.shape
    ends = np.random.default_rng(seed).integers(shortest, length + 1, n)
    x, y = ([row[:end] for row, end in zip(v, ends, strict=True)] for v in (task.x, task.y))
    return LabelledTokens(x, y)


def together(*tables: Table) -> Callable[[Sequence[int]], list[Row]]:
    """Several tables as the experiment of one claim."""
    return lambda seeds: [row for table in tables for row in table(seeds)]


def _ahead(first: str, last: Mapping[str, Sequence[float]]) -> Row:
    """Whether the worst seed of a variant is above the best seed of all others."""
    least = min(last[first])
    most = max(max(values) for label, values in last.items() if label != first)
    quantity = f"worst seed of {first}, best seed of the others"
    return Row(quantity, "more", f"{least:.3f} and {most:.3f}", least > most)


def trained(
    config: LanguageConfig,
    learned: LabelledTokens,
    seed: int,
    lr: float = 3e-3,
    batch_size: int = BATCH,
) -> LanguageModel:
    """A model after one pass over some sequences.

    Args:
        config: the model; its vocabulary must be that of the sequences.
        learned: sequences with labels.
        seed: of the weights and of the order.
        lr: peak learning rate.
        batch_size: sequences a step.
    """
    seed_all(seed)
    model = LanguageModel(config)
    settings = TrainConfig(epochs=1, batch_size=batch_size, lr=lr, seed=seed)
    source = cast(Source, make_token_loader(learned, batch_size, seed))
    fit(TokenLearner(model), source, None, TokenLabels(), settings, quiet=True)
    return model


@torch.no_grad()
def score(model: LanguageModel, task: TokenTask) -> float:
    """Share of right answers of a model."""
    model.eval()
    x, y = torch.from_numpy(task.x), torch.from_numpy(task.y)
    right = [model(part)[0].argmax(-1) for part in x.split(BATCH)]
    return float((torch.cat(right) == y)[y != IGNORED].float().mean())
