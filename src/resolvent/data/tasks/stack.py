"""Tasks of order and nesting: brackets to close, lists to sort, nested lists to evaluate."""

from __future__ import annotations

import numpy as np

from resolvent.data.tasks.base import TokenTask, asked_at_the_end, check_length
from resolvent.topology.padding import IGNORED

DIGITS = 10
MINIMUM, MAXIMUM, MEDIAN, SUM, CLOSE, BLANK = range(DIGITS, DIGITS + 6)
"""The tokens of nested lists beside the digits."""


def dyck(n: int, length: int, kinds: int = 2, depth: int = 8, seed: int = 0) -> TokenTask:
    """Draw prefixes of balanced brackets; say after each step which bracket is to close next.

    Tokens 0 .. kinds - 1 open, kinds .. 2 kinds - 1 close; the answer is the closing bracket of the
    innermost open one, or 2 kinds if none is open: the top of a stack (Suzgun et al. 2019;
    Hewitt et al. 2020 for bounded depth).

    Args:
        n: number of sequences.
        length: steps.
        kinds: kinds of brackets.
        depth: most brackets open at once.
        seed: fixes the draw.

    Raises:
        ValueError: an argument is less than 1.
    """
    check_length(length)
    if kinds < 1 or depth < 1:
        raise ValueError(f"kinds, depth: expected at least 1, got {kinds} and {depth}")
    rng, rows = np.random.default_rng(seed), np.arange(n)
    stack, height = np.full((n, depth + 1), kinds), np.zeros(n, np.int64)  # bottom: nothing open
    x, y = np.empty((n, length), np.int64), np.empty((n, length), np.int64)
    for t in range(length):
        opens = (height == 0) | ((height < depth) & (rng.random(n) < 0.5))
        kind = np.where(opens, rng.integers(0, kinds, n), stack[rows, height])
        height = height + np.where(opens, 1, -1)
        stack[rows[opens], height[opens]] = kind[opens]
        x[:, t] = np.where(opens, kind, kinds + kind)
        y[:, t] = kinds + stack[rows, height]
    return TokenTask(x, y, 2 * kinds + 1)


def sorting(n: int, length: int, symbols: int = 10, seed: int = 0) -> TokenTask:
    """Draw numbers, then as many questions: say the numbers in order.

    Args:
        n: number of sequences.
        length: steps, even: half are numbers below ``symbols``, half are the token ``symbols``.
        symbols: number of different numbers.
        seed: fixes the draw.

    Raises:
        ValueError: the length is odd or less than 2.
    """
    check_length(length, 2)
    if length % 2:
        raise ValueError(f"length: expected an even number, got {length}")
    x = np.full((n, length), symbols)
    x[:, : length // 2] = np.random.default_rng(seed).integers(0, symbols, (n, length // 2))
    y = np.full_like(x, IGNORED)
    y[:, length // 2 :] = np.sort(x[:, : length // 2], 1)
    return TokenTask(x, y, symbols + 1)


def list_ops(n: int, length: int, depth: int = 10, arguments: int = 10, seed: int = 0) -> TokenTask:
    """Draw nested lists such as [MAX 2 [MED 1 7 5] 0] and say their value at the last step.

    Operators are minimum, maximum, median (rounded down) and sum modulo 10 of digits; the drawing
    is that of Long Range Arena (Nangia & Bowman 2018; Tay et al. 2021: lengths 500 to 2,000): an
    argument is a digit with probability 3/4, and a list has 2 to ``arguments`` of them. Sizes are
    from a quarter of the length up; what is left is BLANK, to the left.

    Args:
        n: number of sequences.
        length: steps, at least 8.
        depth: most lists within each other.
        arguments: most arguments of a list, at least 2.
        seed: fixes the draw.

    Raises:
        ValueError: an argument is too small.
    """
    check_length(length, 8)
    if depth < 1 or arguments < 2:
        raise ValueError(f"depth, arguments: expected at least 1 and 2, got {depth}, {arguments}")
    rng = np.random.default_rng(seed)
    x, answers = np.full((n, length), BLANK), np.empty(n, np.int64)
    for row in range(n):
        text: list[int] = []
        while not length // 4 <= len(text) <= length - 1:
            text = []
            answers[row] = _draw_list(rng, text, length - 1, depth, arguments)
        x[row, length - len(text) :] = text
    return asked_at_the_end(x, answers, BLANK + 1)


def _draw_list(
    rng: np.random.Generator, text: list[int], room: int, depth: int, arguments: int
) -> int:
    """Write one list to the end of ``text``, and return its value; stops where it is too long."""
    operator = int(rng.integers(MINIMUM, SUM + 1))
    text.append(operator)
    values = []
    for _ in range(int(rng.integers(2, arguments + 1))):
        if len(text) > room:
            break
        if depth > 1 and rng.random() < 0.25:
            values.append(_draw_list(rng, text, room, depth - 1, arguments))
        else:
            values.append(int(rng.integers(0, DIGITS)))
            text.append(values[-1])
    text.append(CLOSE)
    reduce = {MINIMUM: min, MAXIMUM: max, MEDIAN: np.median, SUM: lambda v: sum(v) % DIGITS}
    return int(reduce[operator](values)) if values else 0
