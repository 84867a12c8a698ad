"""All states of a diagonal recurrence on PyTorch operations: where no compiler was, and elsewhere.

Nothing here divides by a power of `a` or takes its logarithm, so decays of any strength are safe.
Time is cut into chunks: within a chunk the recurrence is written out, between chunks it runs step
by step.
"""

import math

import torch
from torch import Tensor

from resolvent.kernels.arguments import real_steps


def scan(
    a: Tensor, x: Tensor, h0: Tensor | None, resets: Tensor | None, lengths: Tensor | None
) -> tuple[Tensor, Tensor]:
    """`kernels.diagonal_scan` for equal dtypes; a (n,) or (b, l, n).

    The square root of l chunks run side by side, each from a zero state; then the states at their
    ends are carried through, weighted by the products of `a` inside each chunk.
    """
    b, l, n = x.shape
    start = x.new_zeros(b, n) if h0 is None else h0
    if l == 0:
        return x.clone(), start.clone()
    a = a.expand(b, l, n)
    if lengths is not None:
        inside = real_steps(x, lengths)[..., None]
        a, x = torch.where(inside, a, 1), torch.where(inside, x, 0)
        resets = None if resets is None else resets & inside[..., 0]
    k = math.isqrt(l - 1) + 1
    chunks = (l + k - 1) // k
    pad = (0, 0, 0, chunks * k - l)
    a = torch.nn.functional.pad(a, pad, value=1).view(b, chunks, k, n)
    x = torch.nn.functional.pad(x, pad).view(b, chunks, k, n)
    reset = since = None  # at a step; at it or before it in its chunk
    if resets is not None:
        reset = torch.nn.functional.pad(resets, (0, chunks * k - l)).view(b, chunks, k, 1)
        since = reset.cumsum(2) > 0

    h, decay = [x[:, :, 0]], [a[:, :, 0]]
    for t in range(1, k):
        past = a[:, :, t] * h[-1]
        h.append(x[:, :, t] + _unless(None if reset is None else reset[:, :, t], past))
        decay.append(decay[-1] * a[:, :, t])
    before = [start]
    for chunk in range(chunks):
        past = decay[-1][:, chunk] * before[-1]
        cut = None if since is None else since[:, chunk, -1]
        before.append(h[-1][:, chunk] + _unless(cut, past))
    carried = torch.stack(before[:-1], dim=1)[:, :, None]
    states = torch.stack(h, dim=2) + _unless(since, torch.stack(decay, dim=2) * carried)
    states = states.view(b, chunks * k, n)[:, :l]
    if lengths is not None:
        states = torch.where(inside, states, 0)
    return states.contiguous(), before[-1]


def _unless(reset: Tensor | None, past: Tensor) -> Tensor:
    """The past, and nothing of it, not even NaN, where there was a reset."""
    return past if reset is None else torch.where(reset, 0, past)


def scan_backward(
    a: Tensor,
    h: Tensor,
    h0: Tensor | None,
    resets: Tensor | None,
    lengths: Tensor | None,
    gh: Tensor,
    gh_last: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of `scan` for a (b, l, n), x and h0: the same recurrence backward in time."""
    b, l, n = h.shape
    if l == 0:
        return h.clone(), h.clone(), gh_last.clone()
    decay, cut = a.conj_physical().expand(b, l, n), None
    if lengths is not None:
        inside = real_steps(h, lengths)[..., None]
        decay, gh = torch.where(inside, decay, 1), torch.where(inside, gh, 0)
        resets = None if resets is None else resets & inside[..., 0]
    if resets is not None:
        cut = torch.nn.functional.pad(resets[:, 1:], (0, 1)).flip(1)
    later = torch.cat([decay[:, 1:], torch.ones_like(decay[:, :1])], dim=1)
    gx, _ = scan(later.flip(1), gh.flip(1), gh_last, cut, None)
    gx = gx.flip(1)
    gh0 = _unless(None if resets is None else resets[:, :1], decay[:, 0] * gx[:, 0])
    if lengths is not None:
        gx = torch.where(inside, gx, 0)
    start = torch.zeros_like(h[:, 0]) if h0 is None else h0
    ga = gx * torch.cat([start[:, None], h[:, :-1]], dim=1).conj_physical()
    ga = _unless(None if resets is None else resets[..., None], ga)
    return ga, gx.contiguous(), gh0
