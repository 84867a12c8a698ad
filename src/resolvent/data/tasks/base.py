"""What a synthetic task is: sequences of tokens, and the token to say at some of their steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from resolvent.topology.padding import IGNORED


class TokenTask(NamedTuple):
    """Sequences and what is asked of them.

    Attributes:
        x: tokens (n, l), int64.
        y: the token to say after each (n, l), int64; IGNORED where nothing is asked.
        vocab_size: number of tokens, 0 to vocab_size - 1.
    """

    x: np.ndarray
    y: np.ndarray
    vocab_size: int


@dataclass(frozen=True)
class Extrapolation:
    """A task with the length it is trained at and the longer one it is tested at.

    Attributes:
        make: the generator, a function of n, length and seed.
        train: steps of training sequences.
        test: steps of test sequences.
        source: where the two lengths come from.
    """

    make: Callable[..., TokenTask]
    train: int
    test: int
    source: str

    def draw(self, n: int, n_test: int, seed: int = 0) -> tuple[TokenTask, TokenTask]:
        """Draw n short sequences to train on and n_test long ones to test on.

        The two come from seeds 2 seed and 2 seed + 1, so that no draw is shared.
        """
        return (
            self.make(n, self.train, seed=2 * seed),
            self.make(n_test, self.test, seed=2 * seed + 1),
        )


def asked_at_the_end(x: np.ndarray, answer: np.ndarray, vocab_size: int) -> TokenTask:
    """The task x (n, l) of which the last step alone is asked; answers (n,)."""
    y = np.full_like(x, IGNORED)
    y[:, -1] = answer
    return TokenTask(x, y, vocab_size)


def after_start(task: TokenTask) -> TokenTask:
    """The task behind one more token, the last of its vocabulary, at which nothing is asked.

    It is the same in all sequences. A recurrence whose steps only turn its state can let this one
    write what the others turn.
    """
    x, y = (
        np.pad(v, ((0, 0), (1, 0)), constant_values=value)
        for v, value in ((task.x, task.vocab_size), (task.y, IGNORED))
    )
    return TokenTask(x, y, task.vocab_size + 1)


def check_length(length: int, least: int = 1) -> None:
    """Refuse a length that is too short.

    Raises:
        ValueError: it is.
    """
    if length < least:
        raise ValueError(f"length: expected at least {least}, got {length}")
