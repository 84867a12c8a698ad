"""The recurrence of matrix states on PyTorch operations, a chunk of steps at a time.

Without beta, this is the chunkwise form of state-space duality (Dao & Gu 2024, section 6); with
beta, the WY form of products of generalized Householder matrices (Bischof & Van Loan 1987; Yang et
al. 2024, DeltaNet, section 3). Decays between two steps are products of the decays in between, by a
masked cumulative product: nothing is divided and no exponent is taken, so decays of any strength
are safe, zero included. Axes inside: b batch, c chunk, m head, t step, w write (r of them a step).
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from resolvent.kernels.arguments import real_steps

_WRITES = 64  # of a chunk
_STEPS = 16  # of a chunk, where every row of a state has its own decay


class _Chunks(NamedTuple):
    """Coefficients of every chunk; see `kernels/native/matrix_steps.hpp` for what they mean.

    reads (b, c, m, t, n) w q; scores (b, c, m, t, w); leaves (b, c, m, w, n) keys decayed to the
    chunk's end; through (b, c, m, n or 1, 1); writes (b, c, m, w, p), of which erased
    (b, c, m, w, n) applied to the state before is taken off if there is a beta; and which steps
    still see the state before, alive (b, c, 1, t, 1).
    """

    reads: Tensor
    scores: Tensor
    leaves: Tensor
    through: Tensor
    writes: Tensor
    erased: Tensor | None
    alive: Tensor | None


def scan(
    a: Tensor,
    k: Tensor,
    v: Tensor,
    q: Tensor,
    beta: Tensor | None,
    h0: Tensor | None,
    resets: Tensor | None,
    lengths: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """As `matrix_scan` of `kernels.matrix_ops`, without its checkpoints; differentiable."""
    (b, l, m, r, p), n = v.shape, k.shape[-1]
    h = v.new_zeros(b, m, n, p) if h0 is None else h0
    if v.numel() == 0 or n == 0:
        return torch.zeros_like(v[:, :, :, 0]) + 0 * v[:, :, :0].sum(), h.clone()
    heads = m // k.shape[2]
    k, q = k.repeat_interleave(heads, 2), q.repeat_interleave(heads, 2)
    inside = None
    if lengths is not None:
        inside = real_steps(v, lengths)
        resets = None if resets is None else resets & inside
        a = _where(inside, a, 1)
        k, v, q = (_where(inside, x, 0) for x in (k, v, q))
        beta = None if beta is None else _where(inside, beta, 0)
    if resets is not None:
        a = torch.where(resets[..., None, None], 0, a)
    steps = max(_WRITES // r, 1) if a.shape[-1] == 1 else max(_STEPS // r, 1)
    steps = min(steps, l)
    k, v, q = (_cut(x, steps) for x in (k, v, q))
    a, beta = _cut(a, steps, 1.0), None if beta is None else _cut(beta, steps)
    chunks = _coefficients(a, k, v, q, beta, _alive(resets, steps))
    y, h = (_plain if beta is None else _corrected)(chunks, h)
    y = y.transpose(2, 3).reshape(b, -1, m, p)[:, :l]
    return (y if inside is None else _where(inside, y, 0)), h


def _where(inside: Tensor, x: Tensor, value: float) -> Tensor:
    return torch.where(inside.view(*inside.shape, *(1 for _ in x.shape[2:])), x, value)


def _cut(x: Tensor, steps: int, value: float = 0.0) -> Tensor:
    """(b, l, m, ...) to (b, c, m, t, ...), the last chunk filled up with steps of `value`."""
    x = pad(x, (0, 0) * (x.dim() - 2) + (0, -x.shape[1] % steps), value=value)
    return x.unflatten(1, (-1, steps)).transpose(2, 3)


def _alive(resets: Tensor | None, steps: int) -> Tensor | None:
    """Whether no reset lies between a chunk's start and its steps, (b, c, 1, t, 1)."""
    if resets is None:
        return None
    return _cut(resets[..., None].long(), steps).cumsum(-1)[..., None] == 0


def _coefficients(
    a: Tensor,
    k: Tensor,
    v: Tensor,
    q: Tensor,
    beta: Tensor | None,
    alive: Tensor | None,
) -> _Chunks:
    """From a (b, c, m, t, n or 1), k and v (b, c, m, t, r, ...), q (b, c, m, t, n)."""
    steps, r = k.shape[3:5]
    time = torch.arange(steps, device=a.device)
    later = time[:, None] > time
    # decay[t, s]: the product of the decays of steps s + 1 to t
    decay = torch.where(later[..., None], a[..., None, :], 1).cumprod(-3)
    since = a.cumprod(-2)
    k, v = k.flatten(3, 4), v.flatten(3, 4)
    decay_from = decay.repeat_interleave(r, -2)  # from each write
    read = (time[:, None] >= time.repeat_interleave(r))[..., None]
    scores = _products(q, k, torch.where(read, decay_from, 0))
    leaves = decay_from[..., -1, :, :] * k
    through = since[..., -1, :, None]
    if beta is None:
        return _Chunks(since * q, scores, leaves, through, v, None, alive)
    beta = beta.flatten(3, 4)[..., None]
    between = decay_from.repeat_interleave(r, -3)
    earlier = torch.ones(k.shape[3], k.shape[3], dtype=torch.bool, device=a.device).tril(-1)
    mixed = beta * _products(k, k, torch.where(earlier[..., None], between, 0))
    given = beta * torch.cat([v, since.repeat_interleave(r, -2) * k], -1)
    solved = torch.linalg.solve_triangular(mixed, given, upper=False, unitriangular=True)
    writes, erased = solved.split([v.shape[-1], k.shape[-1]], -1)
    return _Chunks(since * q, scores, leaves, through, writes, erased, alive)


def _products(x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
    """sum_n x_in weight_ijn y_jn, for weights (..., i, j, n or 1)."""
    if weight.shape[-1] == 1:
        return (x @ y.mT) * weight[..., 0]
    return (x[..., None, :] * weight * y[..., None, :, :]).sum(-1)


def _seen(x: Tensor, alive: Tensor | None) -> Tensor:
    """Zero where a reset hides the state, whatever it holds."""
    return x if alive is None else torch.where(alive, x, 0)


def _plain(chunks: _Chunks, h: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs (b, c, m, t, p) and the last state: all chunks side by side, then their states."""
    added = chunks.leaves.mT @ chunks.writes
    before = []
    for i in range(added.shape[1]):
        before.append(h)
        kept = None if chunks.alive is None else chunks.alive[:, i, :, -1:]
        h = _seen(chunks.through[:, i] * h, kept) + added[:, i]
    carried = _seen(chunks.reads @ torch.stack(before, 1), chunks.alive)
    return carried + chunks.scores @ chunks.writes, h


def _corrected(chunks: _Chunks, h: Tensor) -> tuple[Tensor, Tensor]:
    """The same where writes depend on the state: one chunk after the other."""
    assert chunks.erased is not None
    r = chunks.writes.shape[3] // chunks.reads.shape[3]
    ys = []
    for i in range(chunks.writes.shape[1]):
        alive = None if chunks.alive is None else chunks.alive[:, i]
        of_writes = None if alive is None else alive.repeat_interleave(r, 2)
        kept = None if alive is None else alive[:, :, -1:]
        writes = chunks.writes[:, i] - _seen(chunks.erased[:, i] @ h, of_writes)
        ys.append(_seen(chunks.reads[:, i] @ h, alive) + chunks.scores[:, i] @ writes)
        h = _seen(chunks.through[:, i] * h, kept) + chunks.leaves[:, i].mT @ writes
    return torch.stack(ys, 1), h
