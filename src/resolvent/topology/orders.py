"""Orders of time around a causal system: right to left, each row within its own length."""

from __future__ import annotations

import torch
from torch import Tensor


def reverse(x: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Flip the time axis of x (b, l, ...), each row within its length; padding stays."""
    if lengths is None:
        return x.flip(1)
    time = torch.arange(x.shape[1], device=x.device)
    index = torch.where(time < lengths[:, None], lengths[:, None] - 1 - time, time)
    return x[torch.arange(x.shape[0], device=x.device)[:, None], index]


def reverse_resets(resets: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Resets (b, l) of the reversed sequence: a cut before step t becomes a cut after it."""
    cut_after = torch.zeros_like(resets)
    cut_after[:, :-1] = resets[:, 1:]
    return reverse(cut_after, lengths)
