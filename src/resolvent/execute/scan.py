"""Associative scan over time of structures closed under products: log(l) depth, for GPUs.

The operator is (A2, x2) o (A1, x1) = (A2 A1, A2 x1 + x2) (Blelloch 1990; Smith et al. 2023, S5).
"""

from __future__ import annotations

import torch
from torch import Tensor

from resolvent.execute.blocks import in_blocks
from resolvent.structure import Structure
from resolvent.system import Discrete, Varying


@in_blocks
def scan(
    system: Discrete, u: Tensor, h0: Tensor, resets: Tensor | None, lengths: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Parallel scan; arguments as in :func:`resolvent.execute.run`. Materialises every state."""
    b, length = u.shape[:2]
    x, A = system.inject(u), system.A
    if not isinstance(system, Varying):  # one row serves all
        A = A.map(lambda v: v.expand(1, length, *v.shape))
    first = x[:, :1] + _kept(resets, slice(0, 1), A.map(lambda v: v[:, :1]).apply(h0[:, None]))
    h = _scan(A, torch.cat([first, x[:, 1:]], 1), resets)
    y = system.read(h, u)
    if lengths is None:
        return y, h[:, -1]
    rows = torch.arange(b, device=u.device)
    last = torch.where(_like(lengths > 0, h0), h[rows, (lengths - 1).clamp(min=0)], h0)
    return y, last


def _scan(A: Structure, x: Tensor, resets: Tensor | None) -> Tensor:
    """Inclusive scan along axis 1: pairs are combined, scanned at half length, then spread."""
    length = x.shape[1]
    if length == 1:
        return x
    half = length // 2
    first, second = (A.map(lambda v, k=k: v[:, k::2][:, :half]) for k in (0, 1))
    pairs = _kept(resets, slice(1, None, 2), second.apply(x[:, : 2 * half : 2])) + x[:, 1::2]
    in_pair = None if resets is None else resets[:, : 2 * half].unflatten(1, (half, 2)).any(2)
    odd = _scan(second.compose(first), pairs, in_pair)
    before = A.map(lambda v: v[:, 2::2]).apply(odd[:, : (length - 1) // 2])
    even = torch.cat([x[:, :1], _kept(resets, slice(2, None, 2), before) + x[:, 2::2]], 1)
    out = torch.stack([even[:, :half], odd], 2).flatten(1, 2)
    return out if length % 2 == 0 else torch.cat([out, even[:, -1:]], 1)


def _kept(resets: Tensor | None, steps: slice, past: Tensor) -> Tensor:
    """The past as it reaches ``steps``: nothing, not even NaN, passes a reset."""
    if resets is None:
        return past
    return torch.where(_like(resets[:, steps], past), torch.zeros_like(past), past)


def _like(mask: Tensor, x: Tensor) -> Tensor:
    return mask.view(*mask.shape, *(1 for _ in range(x.ndim - mask.ndim)))
