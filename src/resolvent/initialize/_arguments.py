"""Types and checks of arguments that the initialisations share."""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.floating[Any]]
Complex = NDArray[np.complexfloating[Any, Any]]
Seed = np.random.Generator | int


def check_size(n: object, name: str = "n") -> int:
    """Return `n` as an int if it is a whole number of at least 1; raise otherwise."""
    if isinstance(n, bool) or not isinstance(n, numbers.Integral):
        raise TypeError(
            f"{name} must be an int, got {n!r} of type {type(n).__name__}; "
            f"pass a whole number of at least 1"
        )
    if n < 1:
        raise ValueError(f"{name} must be at least 1, got {n}; pass a whole number of at least 1")
    return int(n)


def check_real(
    value: object, name: str, low: float = 0.0, high: float = math.inf, closed: str = ""
) -> float:
    """Return `value` as a finite float inside an interval; raise otherwise.

    Args:
        value: the number to check.
        name: how the caller names it, for the message.
        low: lower end of the interval.
        high: upper end of the interval.
        closed: which ends belong to the interval: any of the letters "l" and "h".
    """
    interval = f"{'[' if 'l' in closed else '('}{low:g}, {high:g}{']' if 'h' in closed else ')'}"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(
            f"{name} must be a real number, got {value!r} of type {type(value).__name__}; "
            f"pass a float in {interval}"
        )
    number = float(value)
    above = number > low or ("l" in closed and number == low)
    below = number < high or ("h" in closed and number == high)
    if not (math.isfinite(number) and above and below):
        raise ValueError(
            f"{name} must lie in {interval}, got {value!r}; pass a float in {interval}"
        )
    return number
