"""The diagonal recurrences as ops of `torch.library`: schemas, gradients, fake tensors.

They take contiguous or strided tensors of one dtype and of checked shapes (`kernels.diagonal` sees
to that), and run natively or by `kernels.diagonal_torch`.
"""

from typing import Any

import torch
from torch import Tensor

from resolvent.kernels import diagonal_torch, scan_torch, zoh_ops
from resolvent.kernels.arguments import real_steps
from resolvent.kernels.registry import (
    Gradient,
    call,
    from_checkpoints,
    kept_blocks,
    like,
    native_for,
    register,
    row_marks,
)

_SCAN = "Tensor a, Tensor x, Tensor? h0, Tensor? resets, Tensor? lengths"
_SSM = (
    "Tensor a, Tensor b, Tensor c, Tensor? d, Tensor? dt, Tensor u, Tensor? h0, Tensor? resets, "
    "Tensor? lengths"
)


def _layout(a: Tensor) -> tuple[Tensor, int, int]:
    """Decays (n,) or (1 or b, 1 or l, n), and the distances between their rows and their steps."""
    a = a.contiguous()
    if a.dim() == 1:
        return a, 0, 0
    rows, steps, n = a.shape
    return a, (0 if rows == 1 else steps * n), (0 if steps == 1 else n)


def _scan(
    a: Tensor, x: Tensor, h0: Tensor | None, resets: Tensor | None, lengths: Tensor | None
) -> tuple[Tensor, Tensor]:
    kernels = native_for(x)
    if kernels is None:
        return scan_torch.scan(a, x, h0, resets, lengths)
    a, *distances = _layout(a)
    h, h_last = like(x), x.new_empty(x.shape[0], x.shape[2])
    arrays = a, x, h0, *row_marks(resets, lengths), h, h_last
    call(kernels.diagonal_scan_forward, x, (*x.shape, *distances), *arrays)
    return h, h_last


def _scan_backward(
    a: Tensor,
    h: Tensor,
    h0: Tensor | None,
    resets: Tensor | None,
    lengths: Tensor | None,
    gh: Tensor | None,
    gh_last: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    batch, _, n = h.shape
    kernels = native_for(h)
    if kernels is None:
        gh = torch.zeros_like(h) if gh is None else gh
        gh_last = h.new_zeros(batch, n) if gh_last is None else gh_last
        ga, gx, gh0 = scan_torch.scan_backward(a, h, h0, resets, lengths, gh, gh_last)
    else:
        packed, *distances = _layout(a)
        ga = h.new_empty(batch, 1 if a.dim() == 1 else a.shape[1], n)
        gx, gh0 = like(h), h.new_empty(batch, n)
        arrays = packed, h, h0, *row_marks(resets, lengths), gh, gh_last, ga, gx, gh0
        call(kernels.diagonal_scan_backward, h, (*h.shape, *distances), *arrays)
    return ga.sum_to_size(a.shape).contiguous(), gx, gh0


def _empty_checkpoints(u: Tensor, a: Tensor, keep: bool) -> Tensor:
    """Room for the states that the backward pass starts from, before all blocks but the first.

    Their layout (b, blocks, n, parts, m) is the kernels' own; a complex number has two parts.
    """
    blocks = kept_blocks(u, keep)
    return u.new_empty(u.shape[0], blocks, a.shape[1], 2 if a.is_complex() else 1, a.shape[0])


def _ssm(
    a: Tensor,
    b: Tensor,
    c: Tensor,
    d: Tensor | None,
    dt: Tensor | None,
    u: Tensor,
    h0: Tensor | None,
    resets: Tensor | None,
    lengths: Tensor | None,
    keep: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    if dt is not None:
        a, b = zoh_ops.hold(a.contiguous(), b, dt.contiguous())
    checkpoints = _empty_checkpoints(u, a, keep)
    kernels = native_for(u)
    if kernels is None:
        y, h_last = diagonal_torch.ssm(a, b, c, d, u, h0, resets, lengths)
        return y.contiguous(), h_last.contiguous(), checkpoints.zero_()
    y, h_last = like(u), a.new_empty(u.shape[0], *a.shape)
    given = a, b, c, d, u, h0, *row_marks(resets, lengths)
    results = y, h_last, checkpoints if keep else None
    call(kernels.diagonal_ssm_forward, a, (*u.shape, a.shape[1]), *given, *results)
    return y, h_last, checkpoints


def differentiates_kernel(a: Tensor, u: Tensor, h0: Tensor | None, resets: Tensor | None) -> bool:
    """Whether gradients of `ssm` come by those of its convolution kernel, as measured.

    That costs transforms in place of work that grows with the number of modes; the kernel's own
    part is shared by all rows. A convolution knows neither a state before it nor resets.
    """
    if h0 is not None or resets is not None or native_for(u) is None:
        return False
    (batch, length, _), modes = u.shape, a.shape[1] * (2 if a.is_complex() else 1)
    return batch >= 4 and modes >= 32 and 256 <= length <= 1 << 14


def _ssm_backward(
    a: Tensor, b: Tensor, c: Tensor, d: Tensor | None, dt: Tensor | None, *rest: Any
) -> tuple[Tensor, ...]:
    if dt is None:
        ga, gb, gc, gd, *others = _discrete_backward(a, b, c, d, *rest)
        return ga, gb, gc, gd, c.new_empty(0), *others
    values, B, dt = a.contiguous(), b, dt.contiguous()
    a, b = zoh_ops.hold(values, B, dt)
    ga, gb, gc, gd, *others = _discrete_backward(a, b, c, d, *rest)
    gvalues, gB, gdt = zoh_ops.hold_backward(values, B, dt, ga, gb)
    return gvalues, gB, gc, gd, gdt, *others


def _discrete_backward(*arguments: Any) -> tuple[Tensor, ...]:
    """Gradients of a, b, c, d, u, h0."""
    inputs, (checkpoints, gy, gh_last) = arguments[:8], arguments[8:]
    a, b, c, d, u, h0, resets, lengths = inputs
    gy = torch.zeros_like(u) if gy is None else gy
    kernels, sizes = native_for(u), (*u.shape, a.shape[1])
    if kernels is None:
        gh_last = a.new_zeros(u.shape[0], *a.shape) if gh_last is None else gh_last
        found = diagonal_torch.ssm_backward(a, b, c, d, u, h0, resets, lengths, gy, gh_last)
        return tuple(x.contiguous() for x in found)
    grads = _like_gradients(a, d, u)
    if gh_last is None and differentiates_kernel(a, u, h0, resets):
        if lengths is not None:
            real = real_steps(u, lengths)[..., None]
            u, gy = torch.where(real, u, 0), torch.where(real, gy, 0)
        call(kernels.diagonal_ssm_kernel_backward, a, sizes, a, b, c, d, u, gy, *grads[:5])
        return grads
    if checkpoints.shape[1] != kept_blocks(u):
        checkpoints = _ssm(a, b, c, d, None, u, h0, resets, lengths, keep=True)[2]  # none was kept
    given = a, b, c, d, u, h0, *row_marks(resets, lengths), checkpoints, gy, gh_last
    call(kernels.diagonal_ssm_backward, a, sizes, *given, *grads)
    return grads


def _like_gradients(a: Tensor, d: Tensor | None, u: Tensor) -> tuple[Tensor, ...]:
    """Room for the gradients of a, b, c, d, u, h0."""
    gd = u.new_empty(u.shape[2]) if d is None else like(d)
    return like(a), like(a), like(a), gd, like(u), a.new_empty(u.shape[0], *a.shape)


def _fake_scan(a: Tensor, x: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    return like(x), x.new_empty(x.shape[0], x.shape[2])


def _fake_scan_backward(a: Tensor, h: Tensor, *_: Any) -> tuple[Tensor, Tensor, Tensor]:
    return like(a), like(h), h.new_empty(h.shape[0], h.shape[2])


def _fake_ssm(a: Tensor, *rest: Any) -> tuple[Tensor, ...]:
    u, keep = rest[4], rest[-1]
    return like(u), a.new_empty(u.shape[0], *a.shape), _empty_checkpoints(u, a, keep)


def _fake_ssm_backward(a: Tensor, *rest: Any) -> tuple[Tensor, ...]:
    _, _, d, dt, u, *_ = rest
    *grads, gu, gh0 = _like_gradients(a, d, u)
    return *grads, u.new_empty(0) if dt is None else like(dt), gu, gh0


def _save_scan(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    a, _, h0, resets, lengths = inputs
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(a, output[0], h0, resets, lengths)


def _differentiate_scan(
    ctx: Any, gh: Tensor | None, gh_last: Tensor | None
) -> tuple[Tensor | None, ...]:
    a, h, h0, resets, lengths = ctx.saved_tensors
    if gh is None and gh_last is None:
        return (None,) * 5
    ga, gx, gh0 = _scan_gradients(a, h, h0, resets, lengths, gh, gh_last)
    return ga, gx, None if h0 is None else gh0, None, None


_scan_gradients = register(
    f"diagonal_scan_backward({_SCAN.replace('x', 'h')}, Tensor? gh, Tensor? gh_last)"
    " -> (Tensor ga, Tensor gx, Tensor gh0)",
    _scan_backward,
    _fake_scan_backward,
)
_ssm_gradients = register(
    f"diagonal_ssm_backward({_SSM}, Tensor checkpoints, Tensor? gy, Tensor? gh_last)"
    " -> (Tensor ga, Tensor gb, Tensor gc, Tensor gd, Tensor gdt, Tensor gu, Tensor gh0)",
    _ssm_backward,
    _fake_ssm_backward,
)
scan = register(
    f"diagonal_scan({_SCAN}) -> (Tensor h, Tensor h_last)",
    _scan,
    _fake_scan,
    Gradient(_differentiate_scan, _save_scan),
)
ssm = register(
    f"diagonal_ssm({_SSM}, bool keep) -> (Tensor y, Tensor h_last, Tensor checkpoints)",
    _ssm,
    _fake_ssm,
    from_checkpoints(_ssm_gradients, 9),
)
