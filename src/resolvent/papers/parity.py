"""Parity beyond the trained length: the small experiment on what a state can count, one home."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from resolvent.data.tasks import EXTRAPOLATIONS, TokenTask
from resolvent.model import LanguageConfig
from resolvent.papers.base import Row, spread
from resolvent.papers.tokens import accuracy, score

TASK = EXTRAPOLATIONS["parity"]

SOLVED, CHANCE = 0.99, 0.7
"""Accuracies from which on parity counts as tracked, and up to which it does not; chance is 0.5."""


class Variant(NamedTuple):
    """A layer of the experiment.

    Attributes:
        layer: its name.
        options: its options.
        published: what the paper says at the longer length.
        tracks: whether it should track parity there.
    """

    layer: str
    options: Mapping[str, Any]
    published: str
    tracks: bool


class Course(NamedTuple):
    """How long the sequences are in training and beyond, and how long the training.

    Attributes:
        train: steps of a sequence to learn from.
        test: steps of a sequence to test on.
        steps: optimiser steps of 64 sequences.
    """

    train: int = TASK.train
    test: int = TASK.test
    steps: int = 300


PUBLISHED = Course()
"""Lengths as published."""


def track(
    variants: Mapping[str, Variant], seeds: Sequence[int], course: Course = PUBLISHED
) -> list[Row]:
    """One layer of 32 features after a short training: accuracy there and beyond."""

    def draw(n: int, seed: int, length: int = course.train) -> TokenTask:
        return TASK.make(n, length, seed=seed)

    rows = []
    for name, (layer, options, published, tracks) in variants.items():
        config = LanguageConfig(
            2, 32, 1, (layer,), layer_options={layer: options} if options else {}, tied=False
        )
        near, far = [], []
        for seed in seeds:
            found, model = accuracy(config, draw, course.steps, seed, lr=1e-2)
            near.append(found)
            far.append(score(model, draw(256, 2 * seed + 1, course.test)))
        holds = min(far) > SOLVED if tracks else max(far) < CHANCE
        rows += [
            Row(f"{name}: accuracy at {course.train} steps, as trained", "-", spread(near)),
            Row(f"{name}: at {course.test} steps", published, spread(far), holds),
        ]
    return rows
