"""Finite memories: y_t is a sum over the last n inputs, with filters too long for a short kernel.

The state is the last n - 1 inputs.
"""

from __future__ import annotations

import torch
from torch import Tensor

from resolvent.kernels import long_convolution
from resolvent.structure import Dense
from resolvent.system import Invariant
from resolvent.topology.padding import real_steps, zero_padding
from resolvent.topology.segments import Segments
from resolvent.topology.tail import keep_last

LEAST = 64
"""Segments shorter than this are run as one group."""


def filter_features(
    x: Tensor, taps: Tensor, tail: Tensor, resets: Tensor | None, lengths: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Filter each feature by its own taps: y_t = sum_j taps_j x_{t-j}, j = 0 .. n - 1.

    Args:
        x: (b, l, d).
        taps: (d, n).
        tail: the n - 1 inputs before the first (b, n - 1, d).
        resets: (b, l) bool, True where the past is dropped before the step, or None.
        lengths: (b,) real steps of each row, or None.

    Returns:
        y (b, l, d), 0 beyond a row's length, and the tail after each row's last step.
    """
    b, length, _ = x.shape
    after = keep_last(torch.cat([tail, x], 1), tail.shape[1], resets, lengths)
    if not x.numel():
        return x, after
    if resets is None:
        real = None if lengths is None else real_steps(lengths, length)
        return zero_padding(_filter(x, taps, tail), real), after
    parts, y = Segments.of(resets, lengths), torch.zeros_like(x)
    for _, some in parts.groups(LEAST):
        start = zero_padding(tail[some.row], some.first)
        y = y + some.join(_filter(some.split(x), taps, start), b, length)
    return y, after


def shift_system(taps: Tensor, D: Tensor) -> Invariant:
    """The same filters as a system, whose state is the last n inputs: taps (d, n), D (d, 1)."""
    n = taps.shape[1]
    shift = torch.diag(taps.new_ones(n - 1), -1)
    first = torch.eye(n, dtype=taps.dtype, device=taps.device)[0]
    return Invariant.of(Dense(shift.expand(len(taps), n, n)), first.expand_as(taps), taps, D)


def _filter(x: Tensor, taps: Tensor, tail: Tensor) -> Tensor:
    steps = torch.cat([tail, x], 1)
    if x.shape[1] == 1:
        return (steps * taps.mT.flip(0)).sum(1, keepdim=True)
    return long_convolution(steps, taps)[:, tail.shape[1] :]
