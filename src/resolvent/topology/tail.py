"""The last steps of a sequence: all that a finite memory keeps (convolutions, sliding windows)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from resolvent.topology.padding import zero_padding


def since_reset(resets: Tensor) -> Tensor:
    """Steps since each step's latest reset: (b, l) bool -> (b, l), very many where none came."""
    time = torch.arange(resets.shape[1], device=resets.device)
    never = torch.full_like(resets, -(1 << 62), dtype=torch.long)
    return time - torch.where(resets, time, never).cummax(1).values


def keep_last(
    steps: Tensor, size: int, resets: Tensor | None = None, lengths: Tensor | None = None
) -> Tensor:
    """The last ``size`` real steps of each row, 0 where they lie before its latest reset.

    Args:
        steps: (b, size + l, ...): the tail that earlier calls kept, then l new steps.
        size: how many steps to keep.
        resets: (b, l) for the new steps, or None.
        lengths: (b,) real ones among the new steps, or None for all.

    Returns:
        (b, size, ...).
    """
    b, length = steps.shape[0], steps.shape[1] - size
    if lengths is None:
        tail = steps[:, length:]
    else:
        index = lengths[:, None] + torch.arange(size, device=steps.device)
        tail = steps[torch.arange(b, device=steps.device)[:, None], index]
    if resets is None or not length:
        return tail
    end = torch.full((b,), length, device=steps.device) if lengths is None else lengths
    rows = torch.arange(b, device=steps.device)
    age = since_reset(resets)[rows, (end - 1).clamp(min=0)]
    lag = torch.arange(size - 1, -1, -1, device=steps.device)
    return zero_padding(tail, (lag <= age[:, None]) | (end == 0)[:, None])


def pad_front(x: Tensor, steps: int) -> Tensor:
    """Zeros before the steps of x (b, t, ...)."""
    return pad(x, (0, 0) * (x.ndim - 2) + (steps, 0))
