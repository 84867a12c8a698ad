"""The definition of a nonlinear recurrence h_t = f(h_{t-1}, x_t): the loop over its steps."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from resolvent.topology.padding import real_steps, zero_padding

Cell = Callable[..., Tensor]
"""Function of states (r, n) and inputs (r, ...), each row by itself, to the next states (r, n)."""


def unroll(
    cell: Cell,
    x: tuple[Tensor, ...],
    h0: Tensor,
    resets: Tensor | None = None,
    lengths: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Run a cell step by step.

    Args:
        cell: called as cell(h, *inputs of the step).
        x: inputs, each (b, l, ...).
        h0: initial states (b, n).
        resets: (b, l) bool, True where the past is dropped before the step: the state is 0.
        lengths: (b,) integers, right padding.

    Returns:
        States (b, l, n), 0 beyond a row's length, and the state after each row's last step.
    """
    h, states = h0, []
    for t in range(x[0].shape[1]):
        before = h if resets is None else zero_padding(h, ~resets[:, t])
        h = cell(before, *(v[:, t] for v in x))
        states.append(h)
    if not states:
        return h0[:, None].expand(-1, 0, -1), h0
    trajectory = torch.stack(states, 1)
    if lengths is not None:
        trajectory = zero_padding(trajectory, real_steps(lengths, len(states)))
    return trajectory, last_state(trajectory, h0, lengths)


def before_each(h: Tensor, h0: Tensor, resets: Tensor | None) -> Tensor:
    """The states that the steps of a trajectory h (b, l, n) start from."""
    before = torch.cat([h0[:, None], h[:, :-1]], 1)
    return before if resets is None else zero_padding(before, ~resets)


def last_state(h: Tensor, h0: Tensor, lengths: Tensor | None) -> Tensor:
    """State after each row's last step, of a trajectory h (b, l, n)."""
    if lengths is None:
        return h[:, -1]
    rows = torch.arange(len(h), device=h.device)
    return torch.where(lengths[:, None] > 0, h[rows, (lengths - 1).clamp(min=0)], h0)
