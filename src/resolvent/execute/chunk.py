"""Chunks: products of matrices inside a chunk, the state from chunk to chunk.

Of an invariant system, all work is real matrix products of tile size with Toeplitz matrices, in
whatever structure is closed under products (dense if none is): on CPUs faster than long FFTs, and
exact for any state dimension. A varying system has chunks if its state is a matrix
(`execute.matrix`).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from resolvent.execute.lti import LOG_TILE, TILE, final_state, fold_tiles, in_closed_form
from resolvent.execute.matrix import matrix
from resolvent.structure import Powers, krylov, markov, to_real
from resolvent.system import Discrete, Invariant, Varying


def chunk(
    system: Discrete, u: Tensor, h0: Tensor, resets: Tensor | None, lengths: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Chunks of matrix products; arguments as in :func:`resolvent.execute.run`."""
    if isinstance(system, Varying):
        return matrix(system, u, h0, resets, lengths, chunked=True)
    return _invariant(system, u, h0, resets, lengths)


@in_closed_form
def _invariant(
    system: Invariant,
    closed: Invariant,
    powers: Powers,
    u: Tensor,
    h0: Tensor,
    lengths: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Chunkwise recurrence with chunks of TILE steps."""
    b, length = u.shape[:2]
    padded = pad(u, (0, 0, 0, 0, 0, -length % TILE))
    additions = fold_tiles(closed, powers, padded)
    A_tile, states = powers[LOG_TILE], [h0]
    for k in range(additions.shape[1]):
        states.append(A_tile.apply(states[-1]) + additions[:, k])
    y = _toeplitz(closed, powers, padded) + _free(closed, powers, torch.stack(states[:-1], 1))
    y = y.flatten(1, 2)[:, :length] + system.D * u
    if lengths is None:
        rest = length % TILE
        if not rest:
            return y, states[-1]
        return y, final_state(closed, powers, u[:, length - rest :], states[-2], None)
    # every row from the tile that it ends in
    rows, tile = torch.arange(b, device=u.device), lengths // TILE
    tails = padded.unflatten(1, (-1, TILE))[rows, tile.clamp(max=len(states) - 2)]
    start = torch.stack(states, 1)[rows, tile]
    return y, final_state(closed, powers, tails, start, lengths % TILE)


def _toeplitz(system: Invariant, powers: Powers, u: Tensor) -> Tensor:
    """Response within each tile to the inputs of that tile: (b, k, TILE, m, q)."""
    tiles = u.unflatten(1, (-1, TILE))
    B = system.B if system.mimo else system.B[..., None]
    C = system.C if system.mimo else system.C[..., None, :]
    K = markov(powers, B, C, TILE)  # (m, q, p, TILE)
    lag = torch.arange(TILE, device=u.device)[:, None] - torch.arange(TILE, device=u.device)
    T = K[..., lag.clamp(min=0)] * (lag >= 0)  # (m, q, p, TILE out, TILE in)
    if system.mimo:
        return torch.einsum("mqpts,bksmp->bktmq", T, tiles)
    return torch.einsum("mts,bksmp->bktmp", T[:, 0, 0], tiles)


def _free(system: Invariant, powers: Powers, starts: Tensor) -> Tensor:
    """Response within each tile to its starting state (b, k, m, n, p or 1)."""
    C = system.C if system.mimo else system.C[..., None, :]
    rows = krylov(powers, powers[0].adjoint().apply(C.mH), TILE, adjoint=True)  # (m, n, TILE, q)
    rows, h = to_real(rows, -3), to_real(starts, -2)
    if system.A.dtype.is_complex:
        rows = 2 * rows
    if system.mimo:
        return torch.einsum("mntq,bkmn->bktmq", rows, h[..., 0])
    return torch.einsum("mnt,bkmnp->bktmp", rows[..., 0], h)
