"""Tasks of counting and calculating: what needs a state that turns, not one that fades."""

from __future__ import annotations

import numpy as np

from resolvent.data.tasks.base import TokenTask, asked_at_the_end, check_length

OPERATORS = 3
"""Tokens from the modulus on: + - *, then =, then ( and )."""


def parity(n: int, length: int, seed: int = 0) -> TokenTask:
    """Draw bits; say after each one whether the number of ones so far is odd.

    Needs an eigenvalue that turns the state around: no diagonal model whose eigenvalues are
    positive counts at any length (Grazzi et al. 2025).

    Args:
        n: number of sequences.
        length: steps.
        seed: fixes the draw.
    """
    check_length(length)
    x = np.random.default_rng(seed).integers(0, 2, (n, length))
    return TokenTask(x, x.cumsum(1) % 2, 2)


def modular_arithmetic(n: int, length: int, modulus: int = 5, seed: int = 0) -> TokenTask:
    """Draw expressions such as 3 + 4 * 2 = and say their value modulo a number at the last step.

    Products bind more than sums; negative results are taken modulo too (Deletang et al. 2023, a
    regular language).

    Args:
        n: number of sequences.
        length: steps, at least 2; even lengths end in one =, odd ones in two.
        modulus: at least 2; numbers are the tokens below it, + - * = follow.
        seed: fixes the draw.

    Raises:
        ValueError: the length or the modulus is too small.
    """
    rng, equals = _start(length, modulus, seed)
    count = length // 2
    values = rng.integers(0, modulus, (n, count))
    operators = rng.integers(0, OPERATORS, (n, count - 1))
    x = np.full((n, length), equals)
    x[:, 0 : 2 * count : 2] = values
    x[:, 1 : 2 * count - 1 : 2] = modulus + operators
    total, term = np.zeros(n, np.int64), values[:, 0]
    for k in range(count - 1):
        value, times = values[:, k + 1], operators[:, k] == 2
        total = np.where(times, total, total + term) % modulus
        term = np.where(times, term * value, np.where(operators[:, k] == 1, -value, value))
        term = term % modulus
    return asked_at_the_end(x, (total + term) % modulus, modulus + OPERATORS + 1)


def bracketed_arithmetic(n: int, length: int, modulus: int = 5, seed: int = 0) -> TokenTask:
    """Draw nested expressions such as ((1-4)*(2+3)) = and say their value at the last step.

    Every operator has its brackets, so there is no precedence; the tree is that of operands merged
    with a random neighbour until one is left (after Deletang et al. 2023, context-free).

    Args:
        n: number of sequences.
        length: steps, at least 2; as many operands as fit, the rest is = to the right.
        modulus: at least 2; the tokens are as in `modular_arithmetic`, then ( and ).
        seed: fixes the draw.

    Raises:
        ValueError: the length or the modulus is too small.
    """
    rng, equals = _start(length, modulus, seed)
    count = (length + 2) // 4  # each operand but the first brings an operator and two brackets
    x, answers = np.full((n, length), equals), np.zeros(n, np.int64)
    for row in range(n):
        values = [int(v) for v in rng.integers(0, modulus, count)]
        texts = [[v] for v in values]
        while len(values) > 1:
            k, operator = int(rng.integers(len(values) - 1)), int(rng.integers(OPERATORS))
            a, b = values[k], values[k + 1]
            values[k : k + 2] = [(a + b, a - b, a * b)[operator] % modulus]
            merged = [equals + 1, *texts[k], modulus + operator, *texts[k + 1], equals + 2]
            texts[k : k + 2] = [merged]
        x[row, : len(texts[0])], answers[row] = texts[0], values[0]
    return asked_at_the_end(x, answers, modulus + OPERATORS + 3)


def adding(n: int, length: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw the adding problem: numbers and two marks; give the sum of the marked numbers.

    One mark is in each half (Hochreiter & Schmidhuber 1997; Arjovsky et al. 2016).

    Args:
        n: number of sequences.
        length: steps, at least 2.
        seed: fixes the draw.

    Returns:
        Inputs (n, length, 2), uniform numbers and marks, and sums (n,); to guess 1 has a mean
        squared error of 1/6.

    Raises:
        ValueError: the length is too small.
    """
    check_length(length, 2)
    rng, rows, half = np.random.default_rng(seed), np.arange(n), length // 2
    u = np.zeros((n, length, 2))
    u[..., 0] = rng.random((n, length))
    first, second = rng.integers(0, half, n), rng.integers(half, length, n)
    u[rows, first, 1] = u[rows, second, 1] = 1
    return u, u[rows, first, 0] + u[rows, second, 0]


def _start(length: int, modulus: int, seed: int) -> tuple[np.random.Generator, int]:
    """The generator, and the token =."""
    check_length(length, 2)
    if modulus < 2:
        raise ValueError(f"modulus: expected at least 2, got {modulus}")
    return np.random.default_rng(seed), modulus + OPERATORS
