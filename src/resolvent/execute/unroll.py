"""The definition of a nonlinear recurrence h_t = f(h_{t-1}, x_t): the loop over its steps."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch._higher_order_ops.scan import scan as traced_loop

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
    length = x[0].shape[1]
    if not length:
        return h0[:, None].expand(-1, 0, -1), h0

    def step(h: Tensor, now: tuple[Tensor, ...]) -> Tensor:
        if resets is not None:
            h, now = zero_padding(h, now[-1]), now[:-1]
        return cell(h, *now)

    def traced(h: Tensor, now: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        h = step(h, now)
        return h, h.clone()  # torch wants the carried and the stacked one apart

    marked = x if resets is None else (*x, ~resets)
    if torch.compiler.is_compiling() and length > 1:  # one loop in the graph, not a copy a step
        _, states = traced_loop(traced, h0, tuple(v.transpose(0, 1) for v in marked))
        h = states.transpose(0, 1)
    else:
        h = torch.stack(_loop(step, h0, marked), 1)
    if lengths is not None:
        h = zero_padding(h, real_steps(lengths, length))
    return h, last_state(h, h0, lengths)


def _loop(step: Callable, h: Tensor, x: tuple[Tensor, ...]) -> list[Tensor]:
    states = []
    for now in zip(*(v.unbind(1) for v in x), strict=True):
        h = step(h, now)
        states.append(h)
    return states


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
