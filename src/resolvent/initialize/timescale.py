"""Step sizes: their initial distribution, and the parameterisation by softplus.

A continuous kernel of window w, seen with step dt, covers about w / dt samples. A layer that does
not know its data spreads dt over decades; who knows how far back the data matters sets
dt = w / T (How to train your HiPPO, section 4.2). All HiPPO windows of this library are 1 by
default; a dt taken from the code published with S4 (window 2 for LegT, FouT) must be halved.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from resolvent.initialize._arguments import Real, Seed, check_real


def log_uniform(
    shape: int | tuple[int, ...],
    dt_min: float = 1e-3,
    dt_max: float = 1e-1,
    rng: Seed = 0,
) -> Real:
    """Step sizes whose logarithm is uniform between those of dt_min and dt_max (S4).

    Args:
        shape: of the result.
        dt_min: smallest step, positive: the longest memory is about 1 / dt_min samples.
        dt_max: largest step, at least dt_min.
        rng: a numpy Generator, or a seed; the default gives the same steps every time.

    Raises:
        TypeError, ValueError: if dt_min is not positive or dt_max is less than dt_min.
    """
    dt_min = check_real(dt_min, "dt_min")
    dt_max = check_real(dt_max, "dt_max", low=dt_min, closed="l")
    low, high = np.log(dt_min), np.log(dt_max)
    return np.exp(low + (high - low) * np.random.default_rng(rng).random(shape))


def inverse_softplus(dt: ArrayLike) -> Real:
    """The parameter x with log(1 + e^x) = dt, accurate for tiny and for huge dt.

    Raises:
        ValueError: if a step is not positive.
    """
    steps = np.asarray(dt, dtype=np.float64)
    if not np.all(steps > 0):
        raise ValueError(f"dt must be positive, got {steps.min()}; softplus only reaches positives")
    return steps + np.log(-np.expm1(-steps))


def step_for(samples: float, window: float = 1.0) -> float:
    """The step size with which a window covers a number of samples: window / samples.

    Args:
        samples: how many samples the kernel should span, positive.
        window: length of the window in the kernel's own time, positive (`Hippo.window`).

    Raises:
        TypeError, ValueError: if an argument is not positive.
    """
    return check_real(window, "window") / check_real(samples, "samples")
