"""Layers with exponential gates: logarithms are tracked beside the state, so that nothing grows."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from resolvent.execute import LOWEST, last_state, running
from resolvent.layers.mixer import Timing
from resolvent.layers.selective import SelectiveLayer
from resolvent.layers.state import State


class Track(NamedTuple):
    """The scale of each step.

    Attributes:
        decay: e^(a_t + m_{t-1} - m_t), what a step keeps (b, l, m).
        add: e^(b_t - m_t), the weight of its input (b, l, m).
        m: the tracked logarithm (b, l, m).
        last: m after each row's last step (b, m).
    """

    decay: Tensor
    add: Tensor
    m: Tensor
    last: Tensor


class StabilisedLayer(SelectiveLayer):
    """A layer whose memory is the logarithm of each head's scale, ``LOWEST`` at the start."""

    def track(
        self,
        combine: Callable[[Tensor, Tensor], Tensor],
        logs: tuple[Tensor, Tensor],
        memory: tuple[Tensor, ...],
        timing: Timing,
    ) -> Track:
        """Run m_t = combine(a_t + m_{t-1}, b_t) for logs = (a, b), each (b, l, m).

        Since m_t >= a_t + m_{t-1} and m_t >= b_t, no exponent is positive.
        """
        a, b = logs
        start = memory[0].to(b.dtype) if memory else torch.full_like(b.sum(1), LOWEST)
        m, before = running(combine, a, b, start, timing.resets)
        last = last_state(m, start, timing.lengths) if b.shape[1] else start
        return Track((a + before - m).exp(), (b - m).exp(), m, last)

    def initial_state(
        self,
        batch_size: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> State:
        """Zeros, and nothing at all in the logarithm."""
        h, tails = super().initial_state(batch_size, device, dtype)
        return State(h, (h.new_full((batch_size, self.state_shape()[0]), LOWEST), *tails))
