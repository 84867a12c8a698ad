"""Chunks of an invariant system: a Toeplitz product inside a chunk, the state from chunk to chunk.

All work is real matrix products of tile size, in whatever structure is closed under products (dense
if none is): on CPUs faster than long FFTs, and exact for any state dimension.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from resolvent.execute.lti import TILE, final_state, fold_tiles, in_closed_form
from resolvent.structure import krylov, markov, power, to_real
from resolvent.system import Invariant


@in_closed_form
def chunk(
    system: Invariant, closed: Invariant, u: Tensor, h0: Tensor, lengths: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Chunkwise recurrence with chunks of TILE steps."""
    length = u.shape[1]
    padded = pad(u, (0, 0, 0, 0, 0, -length % TILE))
    inside = _toeplitz(closed, padded)
    additions = fold_tiles(closed, padded)
    A_tile, h, starts = power(closed.A, TILE), h0, []
    for k in range(additions.shape[1]):
        starts.append(h)
        h = A_tile.apply(h) + additions[:, k]
    y = inside + _free(closed, torch.stack(starts, 1))
    y = y.flatten(1, 2)[:, :length] + system.D * u
    if lengths is None and length % TILE == 0:
        return y, h
    return y, final_state(closed, u, h0, lengths)


def _toeplitz(system: Invariant, u: Tensor) -> Tensor:
    """Response within each tile to the inputs of that tile: (b, k, TILE, m, q)."""
    tiles = u.unflatten(1, (-1, TILE))
    B = system.B if system.mimo else system.B[..., None]
    C = system.C if system.mimo else system.C[..., None, :]
    K = markov(system.A, B, C, TILE)  # (m, q, p, TILE)
    lag = torch.arange(TILE, device=u.device)[:, None] - torch.arange(TILE, device=u.device)
    T = K[..., lag.clamp(min=0)] * (lag >= 0)  # (m, q, p, TILE out, TILE in)
    if system.mimo:
        return torch.einsum("mqpts,bksmp->bktmq", T, tiles)
    return torch.einsum("mts,bksmp->bktmp", T[:, 0, 0], tiles)


def _free(system: Invariant, starts: Tensor) -> Tensor:
    """Response within each tile to its starting state (b, k, m, n, p or 1)."""
    C = system.C if system.mimo else system.C[..., None, :]
    rows = krylov(system.A.adjoint(), C.mH, TILE + 1)[..., 1:, :]  # (m, n, TILE, q)
    rows, h = to_real(rows, -3), to_real(starts, -2)
    if system.A.dtype.is_complex:
        rows = 2 * rows
    if system.mimo:
        return torch.einsum("mntq,bkmn->bktmq", rows, h[..., 0])
    return torch.einsum("mnt,bkmnp->bktmp", rows[..., 0], h)
