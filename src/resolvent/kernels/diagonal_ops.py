"""Registration of the diagonal recurrences with `torch.library`: schema, implementations, fake tensors, gradients.

The ops take tensors of one dtype and checked shapes (`kernels.diagonal` sees to that). On CPUs they call the native
kernels with the tensors' addresses; without those, and on other devices, they call `kernels.diagonal_torch`.
"""

from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from resolvent.kernels import diagonal_torch
from resolvent.kernels.backend import native

BLOCK = 64
"""Steps between the states that `diagonal_ssm` keeps for its backward pass."""

_library = torch.library.Library("resolvent", "DEF")
_library.define(
    "diagonal_scan(Tensor a, Tensor x, Tensor? h0, Tensor? resets, Tensor? lengths) -> (Tensor, Tensor)"
)
_library.define(
    "diagonal_scan_backward(Tensor a, Tensor h, Tensor? h0, Tensor? resets, Tensor? lengths, Tensor? gh, "
    "Tensor? gh_last) -> (Tensor, Tensor, Tensor)"
)
_library.define(
    "diagonal_ssm(Tensor a, Tensor b, Tensor c, Tensor u, Tensor? h0, Tensor? resets, Tensor? lengths, bool keep) "
    "-> (Tensor, Tensor, Tensor)"
)
_library.define(
    "diagonal_ssm_backward(Tensor a, Tensor b, Tensor c, Tensor u, Tensor? h0, Tensor? resets, Tensor? lengths, "
    "Tensor checkpoints, Tensor? gy, Tensor? gh_last) -> (Tensor, Tensor, Tensor, Tensor, Tensor)"
)


def _native_for(x: Tensor) -> ModuleType | None:
    return native() if x.device.type == "cpu" else None


def _address(x: Tensor | None) -> int:
    return 0 if x is None else x.data_ptr()


def _kind(x: Tensor) -> tuple[bool, bool, int]:
    """What every native kernel is told first: is it double precision, is it complex, and on how many threads."""
    return x.dtype in (torch.float64, torch.complex128), x.is_complex(), torch.get_num_threads()


def _contiguous(*tensors: Tensor | None) -> list[Any]:
    return [x if x is None else x.contiguous() for x in tensors]


def _row_marks(resets: Tensor | None, lengths: Tensor | None) -> list[Any]:
    return _contiguous(resets, lengths if lengths is None else lengths.long())


def _layout(a: Tensor) -> tuple[Tensor, int, int]:
    """Decays (n,) or (1 or b, 1 or l, n) with consecutive modes, and the distance between rows and between steps."""
    a = a.contiguous()
    if a.dim() == 1:
        return a, 0, 0
    rows, steps, n = a.shape
    return a, (0 if rows == 1 else steps * n), (0 if steps == 1 else n)


def _scan(
    a: Tensor, x: Tensor, h0: Tensor | None, resets: Tensor | None, lengths: Tensor | None
) -> tuple[Tensor, Tensor]:
    kernels = _native_for(x)
    if kernels is None:
        return diagonal_torch.scan(a, x, h0, resets, lengths)
    (b, l, n), (a, a_row, a_step) = x.shape, _layout(a)
    x, h0 = _contiguous(x, h0)
    resets, lengths = _row_marks(resets, lengths)
    h, h_last = torch.empty_like(x), x.new_empty(b, n)
    kernels.diagonal_scan_forward(
        *_kind(x), b, l, n, a_row, a_step, *map(_address, (a, x, h0, resets, lengths, h, h_last))
    )
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
    kernels = _native_for(h)
    (b, l, n), (packed, a_row, a_step) = h.shape, _layout(a)
    if kernels is None:
        gh = torch.zeros_like(h) if gh is None else gh
        gh_last = h.new_zeros(b, n) if gh_last is None else gh_last
        ga, gx, gh0 = diagonal_torch.scan_backward(a, h, h0, resets, lengths, gh, gh_last)
    else:
        h, h0, gh, gh_last = _contiguous(h, h0, gh, gh_last)
        resets, lengths = _row_marks(resets, lengths)
        ga = h.new_empty(b, 1 if a.dim() == 1 else a.shape[1], n)
        gx, gh0 = torch.empty_like(h), h.new_empty(b, n)
        arrays = (packed, h, h0, resets, lengths, gh, gh_last, ga, gx, gh0)
        kernels.diagonal_scan_backward(*_kind(h), b, l, n, a_row, a_step, *map(_address, arrays))
    return ga.sum_to_size(a.shape).contiguous(), gx, gh0


def _ssm(
    a: Tensor,
    b: Tensor,
    c: Tensor,
    u: Tensor,
    h0: Tensor | None,
    resets: Tensor | None,
    lengths: Tensor | None,
    keep: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    kernels = _native_for(u)
    (rows, l, m), n = u.shape, a.shape[1]
    if kernels is None:
        y, h_last = diagonal_torch.ssm(a, b, c, u, h0, resets, lengths)
        return y.contiguous(), h_last.contiguous(), _empty_checkpoints(u, a, keep)
    a, b, c, u, h0 = _contiguous(a, b, c, u, h0)
    resets, lengths = _row_marks(resets, lengths)
    y, h_last = torch.empty_like(u), a.new_empty(rows, m, n)
    checkpoints = _empty_checkpoints(u, a, keep)
    arrays = (a, b, c, u, h0, resets, lengths, y, h_last, checkpoints if keep else None)
    kernels.diagonal_ssm_forward(*_kind(a), rows, l, m, n, *map(_address, arrays))
    return y, h_last, checkpoints


def _empty_checkpoints(u: Tensor, a: Tensor, keep: bool) -> Tensor:
    """Room for the states kept for the backward pass: those before every block but the first.

    Their layout (b, blocks, n, parts, m) is the kernels' own; parts are 2 where a is complex.
    """
    blocks = max(u.shape[1] - 1, 0) // BLOCK if keep else 0
    return u.new_empty(u.shape[0], blocks, a.shape[1], 2 if a.is_complex() else 1, a.shape[0])


def _ssm_backward(
    a: Tensor,
    b: Tensor,
    c: Tensor,
    u: Tensor,
    h0: Tensor | None,
    resets: Tensor | None,
    lengths: Tensor | None,
    checkpoints: Tensor,
    gy: Tensor | None,
    gh_last: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    kernels = _native_for(u)
    (rows, l, m), n = u.shape, a.shape[1]
    gy = torch.zeros_like(u) if gy is None else gy
    if kernels is None:
        gh_last = a.new_zeros(rows, m, n) if gh_last is None else gh_last
        grads = diagonal_torch.ssm_backward(a, b, c, u, h0, resets, lengths, gy, gh_last)
        return tuple(x.contiguous() for x in grads)
    if checkpoints.shape[1] != max(l - 1, 0) // BLOCK:  # the forward pass did not expect to be differentiated
        checkpoints = _ssm(a, b, c, u, h0, resets, lengths, True)[2]
    a, b, c, u, h0, checkpoints, gy, gh_last = _contiguous(a, b, c, u, h0, checkpoints, gy, gh_last)
    resets, lengths = _row_marks(resets, lengths)
    ga, gb, gc, gh0 = (a.new_empty(rows, m, n) for _ in range(4))
    gu = torch.empty_like(u)
    arrays = (a, b, c, u, h0, resets, lengths, checkpoints, gy, gh_last, ga, gb, gc, gu, gh0)
    kernels.diagonal_ssm_backward(*_kind(a), rows, l, m, n, *map(_address, arrays))
    return ga.sum(0), gb.sum(0), gc.sum(0), gu, gh0


def _fake_scan(a, x, h0, resets, lengths):
    return torch.empty_like(x, memory_format=torch.contiguous_format), x.new_empty(
        x.shape[0], x.shape[2]
    )


def _fake_scan_backward(a, h, h0, resets, lengths, gh, gh_last):
    gx = torch.empty_like(h, memory_format=torch.contiguous_format)
    return a.new_empty(a.shape), gx, h.new_empty(h.shape[0], h.shape[2])


def _fake_ssm(a, b, c, u, h0, resets, lengths, keep):
    y = torch.empty_like(u, memory_format=torch.contiguous_format)
    return y, a.new_empty(u.shape[0], *a.shape), _empty_checkpoints(u, a, keep)


def _fake_ssm_backward(a, b, c, u, h0, resets, lengths, checkpoints, gy, gh_last):
    ga, gb, gc = (x.new_empty(x.shape) for x in (a, b, c))
    return ga, gb, gc, u.new_empty(u.shape), a.new_empty(u.shape[0], *a.shape)


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
    ga, gx, gh0 = torch.ops.resolvent.diagonal_scan_backward(a, h, h0, resets, lengths, gh, gh_last)
    return ga, gx, None if h0 is None else gh0, None, None


def _save_ssm(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
    ctx.set_materialize_grads(False)
    ctx.mark_non_differentiable(output[2])
    ctx.save_for_backward(*inputs[:7], output[2])


def _differentiate_ssm(
    ctx: Any, gy: Tensor | None, gh_last: Tensor | None, _: None
) -> tuple[Tensor | None, ...]:
    *inputs, checkpoints = ctx.saved_tensors
    if gy is None and gh_last is None:
        return (None,) * 8
    grads = torch.ops.resolvent.diagonal_ssm_backward(*inputs, checkpoints, gy, gh_last)
    return *grads[:4], None if inputs[4] is None else grads[4], None, None, None


_IMPLEMENTATIONS = {
    "diagonal_scan": (_scan, _fake_scan),
    "diagonal_scan_backward": (_scan_backward, _fake_scan_backward),
    "diagonal_ssm": (_ssm, _fake_ssm),
    "diagonal_ssm_backward": (_ssm_backward, _fake_ssm_backward),
}
for _name, (_real, _fake) in _IMPLEMENTATIONS.items():
    _library.impl(_name, _real, "CompositeExplicitAutograd")
    torch.library.register_fake(f"resolvent::{_name}", _fake, lib=_library)
torch.library.register_autograd(
    "resolvent::diagonal_scan", _differentiate_scan, setup_context=_save_scan, lib=_library
)
torch.library.register_autograd(
    "resolvent::diagonal_ssm", _differentiate_ssm, setup_context=_save_ssm, lib=_library
)
