"""What a synthetic task is: sequences of tokens, and the token to say at some of their steps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

IGNORED = -1
"""The label of a step at which nothing is asked."""


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
