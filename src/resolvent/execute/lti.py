"""What convolution and chunks share: segments for resets, and the state that a sequence leaves."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from resolvent.structure import Powers, from_real, krylov, power, power_apply, to_real
from resolvent.system import Invariant
from resolvent.topology.segments import Segments

LOG_TILE = 6
TILE = 1 << LOG_TILE
"""Steps folded into one matrix product when states are carried from tile to tile."""


def in_closed_form(run: Callable) -> Callable:
    """Wrap an execution (system, closed, powers of its A, u, h0, lengths) for `execute.run`.

    Resets become rows of their own; states change coordinates where the closed form of the
    structure is dense.
    """

    def wrapped(
        system: Invariant, u: Tensor, h0: Tensor, resets: Tensor | None, lengths: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        if resets is not None:
            return _packed(wrapped, system, u, h0, Segments.of(resets, lengths))
        closed = system.closed()
        start = h0 if closed is system else to_real(h0, 2)
        y, h = run(system, closed, Powers(closed.A), u, start, lengths)
        return y, h if closed is system else from_real(h, 2, system.A.dtype)

    wrapped.__doc__ = run.__doc__
    return wrapped


def _packed(
    run: Callable, system: Invariant, u: Tensor, h0: Tensor, parts: Segments
) -> tuple[Tensor, Tensor]:
    """Every segment as a row of its own, the short ones apart from the long ones."""
    b, length = u.shape[:2]
    count = len(parts.row)
    y, order, states = torch.zeros_like(u), [], []
    for index, some in parts.groups(TILE):
        start = h0[some.row]
        start = torch.where(some.first[:, None, None, None], start, torch.zeros_like(start))
        found, after = run(system, some.split(u), start, None, some.lengths)
        y = y + some.join(found, b, length)
        order.append(index)
        states.append(after)
    order.append(count + torch.arange(b, device=u.device))  # rows without a step keep their state
    h = torch.cat([*states, h0])[torch.cat(order).argsort()]
    return y, h[torch.where(parts.last < 0, order[-1], parts.last)]


def final_state(
    system: Invariant, powers: Powers, u: Tensor, h0: Tensor, lengths: Tensor | None
) -> Tensor:
    """State after each row's last step, A^len h0 + sum_j A^(len-1-j) B u_j, of a closed system.

    Rows are aligned to the right, folded in tiles and then pairwise, so that no state is
    materialised for every step.
    """
    b, length = u.shape[:2]
    count = -(-length // TILE)
    levels = (count - 1).bit_length()
    pad = (TILE << levels) - length
    u = torch.nn.functional.pad(u, (0, 0, 0, 0, pad, 0))
    if lengths is not None:  # roll each row so that its last step is the last one
        time = torch.arange(u.shape[1], device=u.device)
        index = time - (length - lengths[:, None])
        u = torch.where(
            (index >= pad)[..., None, None],
            u[torch.arange(b, device=u.device)[:, None], index.clamp(min=0)],
            torch.zeros_like(u),
        )
    h = fold_tiles(system, powers, u)
    for k in range(levels):
        h = h[:, 1::2] + powers[LOG_TILE + k].apply(h[:, ::2])
    if lengths is None:
        return h[:, 0] + power(powers, length).apply(h0)
    return h[:, 0] + power_apply(powers, h0, lengths, length)


def fold_tiles(system: Invariant, powers: Powers, u: Tensor) -> Tensor:
    """What each tile of inputs adds to the state: u (b, k TILE, m, p) -> (b, k, m, n, p or 1)."""
    tiles = u.unflatten(1, (-1, TILE))
    B = system.B if system.mimo else system.B[..., None]
    X = krylov(powers, B, TILE).flip(-2).to(system.A.dtype)  # (m, n, TILE, p)
    if system.mimo:
        return torch.einsum("mntp,bktmp->bkmn", X, tiles.to(X.dtype))[..., None]
    return torch.einsum("mnt,bktmp->bkmnp", X[..., 0], tiles.to(X.dtype))
