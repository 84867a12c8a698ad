"""Word problems: the product of a sequence of group elements, said after each one.

What a recurrence can track is a question of the group. Z60 is diagonal over the complex numbers; S3
and S4 are solvable but do not commute; A5 and S5 are not solvable, and their word problem is beyond
constant depth (Barrington 1989; Merrill et al. 2024).
"""

from __future__ import annotations

import itertools
import re

import numpy as np

from resolvent.data.tasks.base import TokenTask, check_length


def multiplication_table(group: str) -> np.ndarray:
    """Products of a group's elements: table[a, b] is b after a; element 0 is the identity.

    Args:
        group: "Z60", "S5", "A5" or the like: cyclic, symmetric or alternating, and the degree.

    Returns:
        int64 (order, order); permutations are in lexicographic order.

    Raises:
        ValueError: the group is none of these, or is larger than Z1000, S6 and A6.
    """
    named = re.fullmatch(r"([ZSA])([1-9]\d*)", group)
    degree = int(named[2]) if named else 0
    if named is None or (degree > 6 if named[1] != "Z" else degree > 1000):
        raise ValueError(
            "group: expected Z, S or A and a degree (up to 1000 for Z, to 6 for S and A), "
            f"got {group!r}"
        )
    if named[1] == "Z":
        return np.add.outer(np.arange(degree), np.arange(degree)) % degree
    p = np.array(list(itertools.permutations(range(degree))))
    if named[1] == "A":
        p = p[_inversions(p) % 2 == 0]
    products = p[:, p].swapaxes(0, 1)  # [a, b, i] is where b takes what a made of i
    place = degree ** np.arange(degree)[::-1]  # a permutation as a number keeps the order
    return np.searchsorted(p @ place, products @ place)


def group_word(
    n: int, length: int, group: str = "S5", swaps: bool = False, seed: int = 0
) -> TokenTask:
    """Draw elements of a group; say after each one the product of all so far.

    Args:
        n: number of sequences.
        length: steps.
        group: as in `multiplication_table`.
        swaps: draw only the exchanges of two things, for a symmetric group; they reach all of it.
        seed: fixes the draw.

    Raises:
        ValueError: the group is unknown, or swaps are asked of another than a symmetric one.
    """
    check_length(length)
    table = multiplication_table(group)
    letters = np.arange(len(table))
    if swaps:
        if group[0] != "S" or len(table) < 2:
            raise ValueError(
                f"swaps: expected a symmetric group of degree 2 or more, got {group!r}"
            )
        p = np.array(list(itertools.permutations(range(int(group[1:])))))
        letters = letters[(p != np.arange(p.shape[1])).sum(1) == 2]
    x = np.random.default_rng(seed).choice(letters, (n, length))
    y, product = np.empty_like(x), np.zeros(n, np.int64)
    for t in range(length):
        y[:, t] = product = table[product, x[:, t]]
    return TokenTask(x, y, len(table))


def _inversions(p: np.ndarray) -> np.ndarray:
    """Number of pairs of each permutation (n, degree) that are out of order."""
    later = np.triu(np.ones((p.shape[1],) * 2, bool), 1)
    return ((p[:, :, None] > p[:, None, :]) & later).sum((1, 2))
