"""What a promise is: a sentence, the shapes it is tried at, a function that measures an error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from resolvent.contract.subject import Subject, aligned, tensors
from resolvent.contract.tolerance import Tolerance

Shape = tuple[int, int]

SHAPES: tuple[Shape, ...] = ((3, 7), (1, 1), (2, 130))
"""Batch and length: odd, smallest, and across two tiles of 64 steps."""

FLOOR = 1e-3
"""Differences are relative to the largest expected entry, but to no less than this."""


class NotApplicable(Exception):
    """A promise that says nothing about this layer; the message is the reason."""


@dataclass(frozen=True)
class Promise:
    """One sentence of the layer contract that can be measured.

    Attributes:
        name: a few words.
        meaning: one sentence.
        tolerance: largest error that keeps the promise.
        shapes: batch sizes and lengths that :meth:`worst` tries.
        check: function (subject, b, l) -> error; raises `NotApplicable` with the reason.
    """

    name: str
    meaning: str
    tolerance: Tolerance
    shapes: tuple[Shape, ...]
    check: Callable[[Subject, int, int], float]

    def worst(self, subject: Subject) -> float:
        """The largest error over the promise's shapes.

        Raises:
            NotApplicable: the promise says nothing about this layer.
        """
        return max(self.check(subject, b, length) for b, length in self.shapes)


PROMISES: dict[str, Promise] = {}
"""Every promise by name, in the order of their definition."""


def promise(
    tolerance: Tolerance, shapes: tuple[Shape, ...] = SHAPES
) -> Callable[[Callable[[Subject, int, int], float]], Promise]:
    """Register a check as a promise: its name is the function's, its meaning the docstring."""

    def register(check: Callable[[Subject, int, int], float]) -> Promise:
        name = check.__name__.replace("_", " ")
        meaning = " ".join((check.__doc__ or "").split())
        PROMISES[name] = Promise(name, meaning, tolerance, shapes, check)
        return PROMISES[name]

    return register


def difference(actual: Any, expected: Any, grown: bool = False) -> float:
    """Largest relative difference of two nests of tensors; infinite where either is not finite.

    Args:
        actual: the one.
        expected: the other.
        grown: whether they are states that may have grown for different numbers of steps.

    Raises:
        ValueError: the nests hold different numbers of tensors, or tensors of different shapes.
    """
    pairs = zip(tensors(actual), tensors(expected), strict=True)
    if grown:
        pairs = (aligned(x, y) for x, y in pairs)
    return max((_difference(x, y) for x, y in pairs), default=0.0)


def _difference(x: Tensor, y: Tensor) -> float:
    if x.shape != y.shape:
        raise ValueError(f"expected a tensor of shape {tuple(y.shape)}, got {tuple(x.shape)}")
    if not y.numel():
        return 0.0
    x, y = x.detach().double(), y.detach().double()
    if not bool(torch.isfinite(x).all() and torch.isfinite(y).all()):
        return float("inf")
    return float((x - y).abs().max() / y.abs().max().clamp(min=FLOOR))
