"""Every tolerance of the contract, in one table per dtype, each with its reason.

Errors are relative: the largest difference over the largest entry of what is expected.
"""

from __future__ import annotations

from typing import NamedTuple

import torch


class Tolerance(NamedTuple):
    """A bound on a relative error, and why it is that one.

    Attributes:
        bound: the largest error that passes.
        reason: where the number comes from.
    """

    bound: float
    reason: str


EXACT = Tolerance(0.0, "the same operations on the same numbers")

TOLERANCES: dict[torch.dtype, dict[str, Tolerance]] = {
    torch.float64: {
        "value": Tolerance(
            1e-10, "the same sums in another order: unit roundoff 1e-16 x hundreds of steps x slack"
        ),
        "gradient": Tolerance(
            1e-8, "a gradient adds up one term a step and amplifies by the memory of the system"
        ),
        "kernel": Tolerance(
            1e-8, "powers against an exponential: the phase of a mode drifts by one rounding a step"
        ),
        "finite difference": Tolerance(
            1e-4, "a central difference of step 1e-6 keeps about ten digits less its curvature"
        ),
    },
    torch.float32: {
        "long": Tolerance(
            5e-4, "a mode turns up to 10 rad a step, rounded at 6e-8, over a memory of 1,000 steps"
        ),
        "value": Tolerance(1e-4, "unit roundoff 6e-8 x hundreds of steps x slack"),
    },
    torch.bfloat16: {
        "autocast": Tolerance(
            1e-2, "unit roundoff 2^-9 in the projections, none of it accumulated by the recurrence"
        ),
    },
}


def tolerance(dtype: torch.dtype, kind: str) -> Tolerance:
    """The table's entry.

    Raises:
        KeyError: the table has no such entry.
    """
    return TOLERANCES[dtype][kind]
