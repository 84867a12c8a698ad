"""Rotary positions (Su et al. 2021, RoFormer): products of the turned see differences of time."""

from __future__ import annotations

import torch
from torch import Tensor


def turn(x: Tensor, now: Tensor) -> Tensor:
    """Pairs of the features of x (b, s, m, p), turned by their time (b, s) in float64."""
    half = x.shape[-1] // 2
    rate = 10_000.0 ** -(torch.arange(half, device=x.device, dtype=now.dtype) / max(half, 1))
    return rotate(x, (now[..., None] * rate)[:, :, None])


def rotate(x: Tensor, angle: Tensor) -> Tensor:
    """Feature i of x (..., p) as a pair with feature k + i, turned by angle (..., k); 2 k <= p."""
    half = angle.shape[-1]
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    a, b, rest = x.split([half, half, x.shape[-1] - 2 * half], -1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos, rest], -1)
