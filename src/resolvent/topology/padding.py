"""Right padding: rows of a batch end after their own number of steps."""

from __future__ import annotations

import torch
from torch import Tensor

IGNORED = -1
"""The label of a step at which nothing is asked."""


def real_steps(lengths: Tensor, length: int) -> Tensor:
    """Which of ``length`` steps are real: lengths (b,) -> (b, length) bool."""
    return torch.arange(length, device=lengths.device) < lengths[:, None]


def only_if_padded(lengths: Tensor | None, x: Tensor) -> Tensor | None:
    """Lengths (b,), or None where no row of x (b, l, ...) is padded, which saves every mask.

    Asked on the CPU alone: a GPU would have to be waited for, and a traced program has no answer.
    """
    if lengths is None or lengths.device.type != "cpu" or torch.compiler.is_compiling():
        return lengths
    whole = lengths.shape == x.shape[:1] and bool((lengths == x.shape[1]).all())
    return None if whole else lengths


def zero_padding(x: Tensor, real: Tensor | None) -> Tensor:
    """Zeros at the steps of x (b, l, ...) that are not ``real`` (b, l, ...), whatever is there.

    Not a product, which would keep a NaN; None means that every step is real.
    """
    if real is None:
        return x
    mask = real.view(*real.shape, *(1 for _ in range(x.ndim - real.ndim)))
    return torch.where(mask, x, torch.zeros_like(x))
