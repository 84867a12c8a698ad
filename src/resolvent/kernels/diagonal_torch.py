"""Banks of diagonal systems on PyTorch operations: where no compiler was, and on other devices.

As in `scan_torch`, time is cut into chunks and nothing divides by a power of `a`. An op's
implementation must not rest on PyTorch's lazy conjugates, of which dispatch modes lose sight; so
conjugates are physical here, and what autograd sees is real.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from resolvent.kernels.arguments import real_steps
from resolvent.kernels.slabs import Slab, slabs

_CHUNK = 32  # steps written out at once by `ssm`
_SLAB = 1 << 22  # numbers that one slab of `ssm` may hold


class _Coefficients(NamedTuple):
    """The recurrence h' = a h + b u, y = Re sum w h over `_CHUNK` steps at once.

    power (k + 1, m, n, p) a^j, V (k, m, n, p) a^j b, W (k, m, n, p) conj(w a^(j + 1)), and
    K (k, m) Re sum w a^j b, the first plus d, where a number has p = 1 or 2 parts. Powers, and the
    states carried by them from chunk to chunk, are wide: a rounding error in a^k would grow with a
    mode's memory.
    """

    power: Tensor
    V: Tensor
    W: Tensor
    K: Tensor


def _parts(x: Tensor) -> Tensor:
    """(...) -> (..., p): the real and imaginary parts of numbers, or real numbers alone."""
    return torch.view_as_real(x.resolve_conj()) if x.is_complex() else x[..., None]


def _numbers(x: Tensor) -> Tensor:
    """Inverse of `_parts`."""
    return torch.view_as_complex(x.contiguous()) if x.shape[-1] == 2 else x[..., 0]


def _times(x: Tensor, y: Tensor) -> Tensor:
    """The product of numbers (..., p)."""
    if x.shape[-1] == 1:
        return x * y
    (a, b), (c, d) = x.unbind(-1), y.unbind(-1)
    return torch.stack((a * c - b * d, a * d + b * c), dim=-1)


def _conjugate(x: Tensor) -> Tensor:
    return x if x.shape[-1] == 1 else torch.stack((x[..., 0], -x[..., 1]), dim=-1)


def _wide(x: Tensor) -> Tensor:
    return x if x.device.type == "mps" else x.double()


def _coefficients(a: Tensor, b: Tensor, c: Tensor, d: Tensor | None) -> _Coefficients:
    """From a, b, c (m, n, p) and d (m) or (m, 1)."""
    narrow = a.dtype
    a, b, c = _wide(a), _wide(b), _wide(c)
    one = torch.zeros_like(a)
    one[..., 0] = 1
    powers = [one]
    for _ in range(_CHUNK):
        powers.append(_times(powers[-1], a))
    power = torch.stack(powers)
    w = a.shape[-1] * c
    V = _times(power[:-1], b)
    W, K = _conjugate(_times(power[1:], w)), _times(V, w)[..., 0].sum(-1)
    if d is not None:
        K = torch.cat((K[:1] + d.flatten(), K[1:]))
    return _Coefficients(power, V.to(narrow), W.to(narrow), K.to(narrow))


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
        past = K[d] * torch.where(same, u[:, :, : k - d], 0)
        y = y + torch.nn.functional.pad(past, (0, 0, d, 0))
    return y


def _before_chunks(
    coefficients: _Coefficients, u: Tensor, h: Tensor, epoch: Tensor | None
) -> Tensor:
    """The state before every chunk, (b, chunks, m, n, p), wide."""
    if epoch is not None:
        u = torch.where((epoch == epoch[..., -1:])[..., None], u, 0)
    pushed = torch.einsum("kmnp,bckm->bcmnp", coefficients.V.flip(0), u)
    states = [h]
    for chunk, inputs in enumerate(pushed[:, :-1].unbind(1)):
        h = _times(coefficients.power[-1], h)
        if epoch is not None:
            h = torch.where((epoch[:, chunk, -1] == 0)[:, None, None, None], h, 0)
        h = h + inputs
        states.append(h)
    return torch.stack(states, dim=1)


def _last_state(
    coefficients: _Coefficients,
    u: Tensor,
    before: Tensor,
    epoch: Tensor | None,
    lengths: Tensor,
) -> Tensor:
    """The state after `lengths` steps, (b, m, n, p): part of the way through one of the chunks."""
    k, rows = _CHUNK, torch.arange(u.shape[0], device=u.device)
    chunk, rest = lengths // k, lengths % k
    lag = rest[:, None] - 1 - torch.arange(k, device=u.device)
    reaching, alive = lag >= 0, torch.ones_like(rest, dtype=torch.bool)
    if epoch is not None:
        here = epoch[rows, chunk]
        end = here.gather(1, (rest - 1).clamp(min=0)[:, None])[:, 0]
        end = torch.where(rest > 0, end, 0)
        reaching, alive = reaching & (here == end[:, None]), end == 0
    carried = _times(coefficients.power[rest], before[rows, chunk])
    carried = torch.where(alive[:, None, None, None], carried, 0)
    inputs = torch.where(reaching[..., None], u[rows, chunk], 0)
    return carried + torch.einsum("bkm,bkmnp->bmnp", inputs, coefficients.V[lag.clamp(min=0)])


def _slab(
    coefficients: _Coefficients,
    u: Tensor,
    h: Tensor,
    resets: Tensor | None,
    lengths: Tensor,
) -> tuple[Tensor, Tensor]:
    """`ssm` over a stretch of time short enough to keep the states before its chunks.

    u (b, l, m), h (b, m, n, p) wide.
    """
    (b, l, m), k = u.shape, _CHUNK
    chunks = l // k + 1  # one of them at least is unfilled: the state after the end is before it
    inside = real_steps(u, lengths)[..., None]
    padded = torch.nn.functional.pad(torch.where(inside, u, 0), (0, 0, 0, chunks * k - l))
    u = padded.view(b, chunks, k, m)
    epoch = None
    if resets is not None:
        drops = torch.nn.functional.pad(resets.long(), (0, chunks * k - l))
        epoch = drops.view(b, chunks, k).cumsum(dim=-1)

    before = _before_chunks(coefficients, u, h, epoch)
    carried = torch.einsum("kmnp,bcmnp->bckm", coefficients.W, before.to(u.dtype))
    if epoch is not None:
        carried = torch.where((epoch == 0)[..., None], carried, 0)
    y = (_within(coefficients.K, u, epoch) + carried).reshape(b, chunks * k, m)[:, :l]
    return torch.where(inside, y, 0), _last_state(coefficients, u, before, epoch, lengths)


def _slabs(a: Tensor, u: Tensor, resets: Tensor | None, lengths: Tensor | None) -> list[Slab]:
    """Stretches of time whose states do not take too much room."""
    (b, l, m), n = u.shape, a.shape[-1]
    steps = max(_SLAB // max(b * m * max(_CHUNK, n), 1), 1) * _CHUNK
    return slabs((b, l), steps, resets, lengths, u.device)


def ssm(
    a: Tensor,
    b: Tensor,
    c: Tensor,
    d: Tensor | None,
    u: Tensor,
    h0: Tensor | None,
    resets: Tensor | None,
    lengths: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """`kernels.diagonal_ssm` for equal dtypes."""
    h = _wide(_parts(a.new_zeros(u.shape[0], *a.shape) if h0 is None else h0))
    coefficients = _coefficients(_parts(a), _parts(b), _parts(c), d)
    y = [u[:, :0]]
    for when, drops, left in _slabs(a, u, resets, lengths):
        part, h = _slab(coefficients, u[:, when], h, drops, left)
        y.append(part)
    return torch.cat(y, dim=1), _numbers(h).to(a.dtype, copy=True)


def ssm_backward(
    a: Tensor,
    b: Tensor,
    c: Tensor,
    d: Tensor | None,
    u: Tensor,
    h0: Tensor | None,
    resets: Tensor | None,
    lengths: Tensor | None,
    gy: Tensor,
    gh_last: Tensor,
) -> tuple[Tensor, ...]:
    """Gradients of `ssm` for a, b, c, d, u, h0; every slab runs again from the state before it."""
    d = u.new_zeros(u.shape[2]) if d is None else d
    parameters = [x.detach().requires_grad_() for x in (*map(_parts, (a, b, c)), d)]
    with torch.enable_grad():
        coefficients = _coefficients(*parameters)
    leaves = [x.detach().requires_grad_() for x in coefficients]
    total = [torch.zeros_like(x) for x in leaves]
    slabs = _slabs(a, u, resets, lengths)
    h = _wide(_parts(a.new_zeros(u.shape[0], *a.shape) if h0 is None else h0))
    states = []
    for when, drops, left in slabs:
        states.append(h)
        _, h = _slab(coefficients, u[:, when], h, drops, left)
    gu, g = [u[:, :0]], _wide(_parts(gh_last))
    for (when, drops, left), state in zip(reversed(slabs), reversed(states), strict=True):
        inputs = [*leaves, u[:, when].detach().requires_grad_(), state.detach().requires_grad_()]
        with torch.enable_grad():
            outputs = _slab(_Coefficients(*inputs[:4]), inputs[4], inputs[5], drops, left)
        *grads, gu_slab, g = torch.autograd.grad(
            outputs, inputs, (gy[:, when], g), materialize_grads=True
        )
        total = [x + grad for x, grad in zip(total, grads, strict=True)]
        gu.insert(1, gu_slab)
    *grads, gd = torch.autograd.grad(coefficients, parameters, total)
    gh0 = _numbers(g).to(a.dtype, copy=True)
    return *map(_numbers, grads), gd, torch.cat(gu, dim=1), gh0
