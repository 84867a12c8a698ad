"""The diagonal recurrences on PyTorch operations: where no compiler was, and on other devices.

Nothing here divides by a power of `a` or takes its logarithm, so decays of any strength are safe.
Time is cut into chunks: within a chunk the recurrence is written out, between chunks it runs step
by step.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

_CHUNK = 32  # steps written out at once by `ssm`
_SLAB = 1 << 22  # numbers that one slab of `ssm` may hold


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
    if resets is not None:
        a = torch.where(resets[..., None], 0, a)
    if lengths is not None:
        inside = (torch.arange(l, device=x.device) < lengths[:, None])[..., None]
        a, x = torch.where(inside, a, 1), torch.where(inside, x, 0)
    k = math.isqrt(l - 1) + 1
    chunks = (l + k - 1) // k
    pad = (0, 0, 0, chunks * k - l)
    a = torch.nn.functional.pad(a, pad, value=1).view(b, chunks, k, n)
    x = torch.nn.functional.pad(x, pad).view(b, chunks, k, n)

    h, decay = [x[:, :, 0]], [a[:, :, 0]]
    for t in range(1, k):
        h.append(torch.addcmul(x[:, :, t], a[:, :, t], h[-1]))
        decay.append(decay[-1] * a[:, :, t])
    before = [start]
    for chunk in range(chunks):
        before.append(torch.addcmul(h[-1][:, chunk], decay[-1][:, chunk], before[-1]))
    carried = torch.stack(before[:-1], dim=1)[:, :, None]
    states = torch.stack(h, dim=2) + torch.stack(decay, dim=2) * carried
    states = states.view(b, chunks * k, n)[:, :l]
    if lengths is not None:
        states = torch.where(inside, states, 0)
    return states.contiguous(), before[-1]


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
    decay = a.conj().expand(b, l, n)
    if resets is not None:
        decay = torch.where(resets[..., None], 0, decay)
    if lengths is not None:
        inside = (torch.arange(l, device=h.device) < lengths[:, None])[..., None]
        decay, gh = torch.where(inside, decay, 1), torch.where(inside, gh, 0)
    later = torch.cat([decay[:, 1:], torch.ones_like(decay[:, :1])], dim=1)
    gx, _ = scan(later.flip(1), gh.flip(1), gh_last, None, None)
    gx = gx.flip(1)
    gh0 = decay[:, 0] * gx[:, 0]
    if lengths is not None:
        gx = torch.where(inside, gx, 0)
    start = torch.zeros_like(h[:, 0]) if h0 is None else h0
    ga = gx * torch.cat([start[:, None], h[:, :-1]], dim=1).conj()
    if resets is not None:
        ga = torch.where(resets[..., None], 0, ga)
    return ga, gx.contiguous(), gh0


class _Coefficients(NamedTuple):
    """The recurrence h' = a h + b u, y = Re sum w h over `_CHUNK` steps at once.

    power (k + 1, m, n) a^j, V (k, m, n) a^j b, W (k, m, n) w a^(j + 1), K (k, m) Re sum w a^j b.
    """

    power: Tensor
    V: Tensor
    W: Tensor
    K: Tensor


def _coefficients(a: Tensor, b: Tensor, c: Tensor) -> _Coefficients:
    power = torch.stack([torch.ones_like(a), *[a] * _CHUNK]).cumprod(dim=0)
    w = 2 * c if c.is_complex() else c
    kernel = (w * b * power[:-1]).sum(dim=-1)
    real_kernel = kernel.real if kernel.is_complex() else kernel
    return _Coefficients(power, power[:-1] * b, power[1:] * w, real_kernel)


def _as_real(x: Tensor) -> Tensor:
    """The last axis as real numbers: (..., n) -> (..., 2 n) where complex."""
    return torch.view_as_real(x.resolve_conj()).flatten(-2) if x.is_complex() else x


def _as_modes(x: Tensor, like: Tensor) -> Tensor:
    """Inverse of `_as_real` for results of `like`'s kind."""
    return torch.view_as_complex(x.unflatten(-1, (-1, 2))) if like.is_complex() else x


def _within(K: Tensor, u: Tensor, epoch: Tensor | None) -> Tensor:
    """y_j = sum_(i <= j) K_(j-i) u_i in each chunk and epoch; u (b, chunks, k, m)."""
    k = u.shape[2]
    if epoch is None:
        lag = torch.arange(k, device=u.device)
        lag = lag[:, None] - lag
        toeplitz = torch.where((lag >= 0)[..., None], K[lag.clamp(min=0)], 0)
        return torch.einsum("jim,bcim->bcjm", toeplitz, u)
    y = K[0] * u
    for d in range(1, k):
        same = (epoch[:, :, d:] == epoch[:, :, : k - d])[..., None]
        y = y + torch.nn.functional.pad(K[d] * (same * u[:, :, : k - d]), (0, 0, d, 0))
    return y


def _slab(
    coefficients: _Coefficients,
    u: Tensor,
    h: Tensor,
    resets: Tensor | None,
    lengths: Tensor,
) -> tuple[Tensor, Tensor]:
    """`ssm` over a stretch of time whose chunks' states may be kept; u (b, l, m), h (b, m, n)."""
    power, V, W, K = coefficients.power, coefficients.V, coefficients.W, coefficients.K
    (b, l, m), k = u.shape, _CHUNK
    chunks = l // k + 1  # one chunk at least is unfilled: the steps after the end start there
    inside = torch.arange(l, device=u.device) < lengths[:, None]
    u = torch.where(inside[..., None], u, 0)
    u = torch.nn.functional.pad(u, (0, 0, 0, chunks * k - l)).view(b, chunks, k, m)
    epoch = None
    if resets is not None:
        marks = torch.nn.functional.pad(resets.long(), (0, chunks * k - l))
        epoch = marks.view(b, chunks, k).cumsum(dim=-1)

    reaching = u if epoch is None else u * (epoch == epoch[..., -1:])[..., None]
    pushed = _as_modes(torch.einsum("kmp,bckm->bcmp", _as_real(V.flip(0)), reaching), power)
    decay = power[-1].expand(b, chunks, *power.shape[1:])
    if epoch is not None:
        decay = decay * (epoch[..., -1] == 0)[..., None, None]
    after, _ = scan(decay.flatten(2), pushed.flatten(2), h.flatten(1), None, None)
    before = torch.cat([h[:, None], after[:, :-1].view(b, chunks - 1, *h.shape[1:])], dim=1)

    carried = torch.einsum("kmp,bcmp->bckm", _as_real(W.conj()), _as_real(before))
    if epoch is not None:
        carried = carried * (epoch == 0)[..., None]
    y = (_within(K, u, epoch) + carried).view(b, chunks * k, m)[:, :l]

    rows = torch.arange(b, device=u.device)
    chunk, rest = lengths // k, lengths % k
    lag = rest[:, None] - 1 - torch.arange(k, device=u.device)
    reaching, alive = lag >= 0, torch.ones_like(rest)
    if epoch is not None:
        here = epoch[rows, chunk]
        end = torch.where(rest > 0, here.gather(1, (rest - 1).clamp(min=0)[:, None])[:, 0], 0)
        reaching, alive = reaching & (here == end[:, None]), (end == 0).long()
    pushed = (u[rows, chunk] * reaching[..., None])[..., None] * V[lag.clamp(min=0)]
    last = power[rest] * before[rows, chunk] * alive[:, None, None] + pushed.sum(dim=1)
    return torch.where(inside[..., None], y, 0), last


def _slabs(
    a: Tensor, u: Tensor, resets: Tensor | None, lengths: Tensor | None
) -> list[tuple[slice, Tensor | None, Tensor]]:
    """Stretches of time with their resets and the lengths that remain in them."""
    (b, l, m), n = u.shape, a.shape[-1]
    if lengths is None:
        lengths = torch.full((b,), l, device=u.device)
    steps = max(_SLAB // max(b * m * max(_CHUNK, n), 1), 1) * _CHUNK
    slabs = []
    for start in range(0, l, steps):
        when = slice(start, min(start + steps, l))
        left = (lengths - start).clamp(0, when.stop - start)
        slabs.append((when, None if resets is None else resets[:, when], left))
    return slabs


def ssm(
    a: Tensor,
    b: Tensor,
    c: Tensor,
    u: Tensor,
    h0: Tensor | None,
    resets: Tensor | None,
    lengths: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """`kernels.diagonal_ssm` for equal dtypes."""
    h = a.new_zeros(u.shape[0], *a.shape) if h0 is None else h0.clone()
    coefficients = _coefficients(a, b, c)
    y = [u[:, :0]]
    for when, reset, left in _slabs(a, u, resets, lengths):
        part, h = _slab(coefficients, u[:, when], h, reset, left)
        y.append(part)
    return torch.cat(y, dim=1), h


def ssm_backward(
    a: Tensor,
    b: Tensor,
    c: Tensor,
    u: Tensor,
    h0: Tensor | None,
    resets: Tensor | None,
    lengths: Tensor | None,
    gy: Tensor,
    gh_last: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Gradients of `ssm` for a, b, c, u and h0; every slab runs again from the state before it."""
    parameters = [x.detach().requires_grad_() for x in (a, b, c)]
    with torch.enable_grad():
        coefficients = _coefficients(*parameters)
    leaves = [x.detach().requires_grad_() for x in coefficients]
    total = [torch.zeros_like(x) for x in leaves]
    slabs = _slabs(a, u, resets, lengths)
    h = a.new_zeros(u.shape[0], *a.shape) if h0 is None else h0
    states = []
    for when, reset, left in slabs:
        states.append(h)
        _, h = _slab(coefficients, u[:, when], h, reset, left)
    gu, g = [u[:, :0]], gh_last.clone()
    for (when, reset, left), state in zip(reversed(slabs), reversed(states), strict=True):
        inputs = [*leaves, u[:, when].detach().requires_grad_(), state.detach().requires_grad_()]
        with torch.enable_grad():
            outputs = _slab(_Coefficients(*inputs[:4]), inputs[4], inputs[5], reset, left)
        *grads, gu_slab, g = torch.autograd.grad(
            outputs, inputs, (gy[:, when], g), materialize_grads=True
        )
        total = [x + grad for x, grad in zip(total, grads, strict=True)]
        gu.insert(1, gu_slab)
    ga, gb, gc = torch.autograd.grad(coefficients, parameters, total)
    return ga, gb, gc, torch.cat(gu, dim=1), g
