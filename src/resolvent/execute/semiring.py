"""The scalar recurrence m_t = (a_t + m_{t-1}) (+) b_t, where (+) is the maximum or log(e^x + e^y).

Sums become maxima, and products sums: a linear recurrence in another semiring. With the maximum it
is the stabiliser of exponential gates; with log-sum-exp the logarithm of softmax's normaliser, a
prefix at a time.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

LOWEST = -1e30
"""Stands for minus infinity, the logarithm of nothing, without its NaN."""


def running(
    combine: Callable[[Tensor, Tensor], Tensor],
    a: Tensor,
    b: Tensor,
    start: Tensor,
    resets: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """All m_t at once, in log2(l) passes (Hillis & Steele 1986).

    Args:
        combine: torch.maximum or torch.logaddexp.
        a: (b, l, m).
        b: (b, l, m).
        start: m_0 (b, m), ``LOWEST`` where there is nothing yet.
        resets: (b, l) bool, True where the past is dropped before the step.

    Returns:
        m (b, l, m), and for each step the m that it starts from, ``LOWEST`` at resets.
    """
    if resets is not None:
        a = torch.where(resets[..., None], LOWEST, a)
    m = torch.cat([combine(a[:, :1] + start[:, None], b[:, :1]), b[:, 1:]], 1)
    shift = 1
    while shift < b.shape[1]:
        m = torch.cat([m[:, :shift], combine(a[:, shift:] + m[:, :-shift], m[:, shift:])], 1)
        a = torch.cat([a[:, :shift], (a[:, shift:] + a[:, :-shift]).clamp(min=LOWEST)], 1)
        shift *= 2
    before = torch.cat([start[:, None], m], 1)[:, :-1]
    return m, before if resets is None else torch.where(resets[..., None], LOWEST, before)
