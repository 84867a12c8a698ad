"""The loop fused into one kernel: diagonal systems, states in registers, recomputed backward."""

from __future__ import annotations

import torch
from torch import Tensor

from resolvent.kernels import diagonal_scan, diagonal_ssm
from resolvent.system import Discrete, Invariant, Varying

BLOCK = 512
"""Steps of a varying system materialised at once; bounds memory at (b, BLOCK, m, n, p)."""


def recur(
    system: Discrete, u: Tensor, h0: Tensor, resets: Tensor | None, lengths: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Fused recurrence of a diagonal system; arguments as in :func:`resolvent.execute.run`."""
    if isinstance(system, Varying):
        return _varying(system, u, h0, resets, lengths)
    if system.mimo or u.shape[-1] != 1:
        return _states(system, u, h0, resets, lengths)
    a = system.A.values.expand_as(system.B)  # type: ignore[attr-defined]
    y, h = diagonal_ssm(a, system.B, system.C, u[..., 0], h0[..., 0], resets, lengths)
    return _skip(y[..., None], system.D, u, lengths), h[..., None]


def _states(
    system: Invariant, u: Tensor, h0: Tensor, resets: Tensor | None, lengths: Tensor | None
) -> tuple[Tensor, Tensor]:
    """All states at once, between the two products with B and C."""
    x = system.inject(u)
    a = system.A.values[..., None].expand(x.shape[2:]).flatten()  # type: ignore[attr-defined]
    h, last = diagonal_scan(a, x.flatten(2), h0.flatten(1), resets, lengths)
    y = system.read(h.view_as(x), u)
    return _zero_padding(y, lengths), last.view_as(h0)


def _varying(
    system: Varying, u: Tensor, h0: Tensor, resets: Tensor | None, lengths: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Block by block: the discrete coefficients of the whole sequence never exist at once."""
    ys, h = [], h0
    for start in range(0, u.shape[1], BLOCK):
        stop = min(start + BLOCK, u.shape[1])
        part, v = system.steps(start, stop), u[:, start:stop]
        x = part.inject(v)
        a = part.A.values[..., None].expand_as(x).flatten(2)  # type: ignore[attr-defined]
        cut = None if resets is None else resets[:, start:stop]
        left = None if lengths is None else (lengths - start).clamp(0, stop - start)
        states, last = diagonal_scan(a, x.flatten(2), h.flatten(1), cut, left)
        ys.append(_zero_padding(part.read(states.view_as(x), v), left))
        h = last.view_as(h0)
    return (torch.cat(ys, 1) if ys else u), h


def _skip(y: Tensor, D: Tensor, u: Tensor, lengths: Tensor | None) -> Tensor:
    return y + _zero_padding(D * u, lengths)


def _zero_padding(y: Tensor, lengths: Tensor | None) -> Tensor:
    if lengths is None:
        return y
    time = torch.arange(y.shape[1], device=y.device)
    return y * (time < lengths[:, None])[..., None, None]
