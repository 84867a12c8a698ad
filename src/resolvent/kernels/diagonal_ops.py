"""Registration of the diagonal recurrences with `torch.library`: schemas, gradients, fake tensors.

The ops take contiguous or strided tensors of one dtype and of checked shapes (`kernels.diagonal`
sees to that). On CPUs they call the native kernels with the tensors' addresses; without those, and
on other devices, they run `kernels.diagonal_torch`.
"""

from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from resolvent.kernels import diagonal_torch
from resolvent.kernels.backend import native

BLOCK = 64
"""Steps between the states that `diagonal_ssm` keeps for its backward pass; as in the kernels."""

_SCAN = "Tensor a, Tensor x, Tensor? h0, Tensor? resets, Tensor? lengths"
_SSM = "Tensor a, Tensor b, Tensor c, Tensor u, Tensor? h0, Tensor? resets, Tensor? lengths"
_SCHEMAS = (
    f"diagonal_scan({_SCAN}) -> (Tensor h, Tensor h_last)",
    f"diagonal_scan_backward({_SCAN.replace('x', 'h')}, Tensor? gh, Tensor? gh_last)"
    " -> (Tensor ga, Tensor gx, Tensor gh0)",
    f"diagonal_ssm({_SSM}, bool keep) -> (Tensor y, Tensor h_last, Tensor checkpoints)",
    f"diagonal_ssm_backward({_SSM}, Tensor checkpoints, Tensor? gy, Tensor? gh_last)"
    " -> (Tensor ga, Tensor gb, Tensor gc, Tensor gu, Tensor gh0)",
)


def _native_for(x: Tensor) -> ModuleType | None:
    return native() if x.device.type == "cpu" else None


def _addresses(*tensors: Tensor | None) -> list[int]:
    return [0 if x is None else x.data_ptr() for x in tensors]


def _kind(x: Tensor) -> tuple[bool, bool, int]:
    """What every native kernel is told first: double precision?, complex?, how many threads."""
    return x.dtype in (torch.float64, torch.complex128), x.is_complex(), torch.get_num_threads()


def _contiguous(*tensors: Tensor | None) -> list[Any]:
    return [x if x is None else x.contiguous() for x in tensors]


def _row_marks(resets: Tensor | None, lengths: Tensor | None) -> list[Any]:
    return _contiguous(resets, lengths if lengths is None else lengths.long())


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
    kernels = _native_for(x)
    if kernels is None:
        return diagonal_torch.scan(a, x, h0, resets, lengths)
    a, a_row, a_step = _layout(a)
    x, h0, resets, lengths = *_contiguous(x, h0), *_row_marks(resets, lengths)
    h, h_last = torch.empty_like(x), x.new_empty(x.shape[0], x.shape[2])
    arrays = _addresses(a, x, h0, resets, lengths, h, h_last)
    kernels.diagonal_scan_forward(_kind(x), (*x.shape, a_row, a_step), arrays)
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
    kernels = _native_for(h)
    if kernels is None:
        gh = torch.zeros_like(h) if gh is None else gh
        gh_last = h.new_zeros(batch, n) if gh_last is None else gh_last
        ga, gx, gh0 = diagonal_torch.scan_backward(a, h, h0, resets, lengths, gh, gh_last)
    else:
        packed, a_row, a_step = _layout(a)
        h, h0, gh, gh_last = _contiguous(h, h0, gh, gh_last)
        resets, lengths = _row_marks(resets, lengths)
        ga = h.new_empty(batch, 1 if a.dim() == 1 else a.shape[1], n)
        gx, gh0 = torch.empty_like(h), h.new_empty(batch, n)
        arrays = _addresses(packed, h, h0, resets, lengths, gh, gh_last, ga, gx, gh0)
        kernels.diagonal_scan_backward(_kind(h), (*h.shape, a_row, a_step), arrays)
    return ga.sum_to_size(a.shape).contiguous(), gx, gh0


def _empty_checkpoints(u: Tensor, a: Tensor, keep: bool) -> Tensor:
    """Room for the states that the backward pass starts from, before all blocks but the first.

    Their layout (b, blocks, n, parts, m) is the kernels' own; a complex number has two parts.
    """
    blocks = max(u.shape[1] - 1, 0) // BLOCK if keep else 0
    return u.new_empty(u.shape[0], blocks, a.shape[1], 2 if a.is_complex() else 1, a.shape[0])


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
    checkpoints = _empty_checkpoints(u, a, keep)
    kernels = _native_for(u)
    if kernels is None:
        y, h_last = diagonal_torch.ssm(a, b, c, u, h0, resets, lengths)
        return y.contiguous(), h_last.contiguous(), checkpoints.zero_()
    a, b, c, u, h0 = _contiguous(a, b, c, u, h0)
    resets, lengths = _row_marks(resets, lengths)
    y, h_last = torch.empty_like(u), a.new_empty(u.shape[0], *a.shape)
    kept = checkpoints if keep else None
    arrays = _addresses(a, b, c, u, h0, resets, lengths, y, h_last, kept)
    kernels.diagonal_ssm_forward(_kind(a), (*u.shape, a.shape[1]), arrays)
    return y, h_last, checkpoints


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
    gy = torch.zeros_like(u) if gy is None else gy
    kernels = _native_for(u)
    if kernels is None:
        gh_last = a.new_zeros(u.shape[0], *a.shape) if gh_last is None else gh_last
        grads = diagonal_torch.ssm_backward(a, b, c, u, h0, resets, lengths, gy, gh_last)
        ga, gb, gc, gu, gh0 = (x.contiguous() for x in grads)
        return ga, gb, gc, gu, gh0
    if checkpoints.shape[1] != max(u.shape[1] - 1, 0) // BLOCK:
        checkpoints = _ssm(a, b, c, u, h0, resets, lengths, True)[2]  # was not told to keep them
    a, b, c, u, h0, checkpoints = _contiguous(a, b, c, u, h0, checkpoints)
    resets, lengths, gy, gh_last = *_row_marks(resets, lengths), *_contiguous(gy, gh_last)
    ga, gb, gc, gu = (torch.empty_like(x) for x in (a, b, c, u))
    gh0 = a.new_empty(u.shape[0], *a.shape)
    given = (a, b, c, u, h0, resets, lengths, checkpoints, gy, gh_last)
    arrays = _addresses(*given, ga, gb, gc, gu, gh0)
    kernels.diagonal_ssm_backward(_kind(a), (*u.shape, a.shape[1]), arrays)
    return ga, gb, gc, gu, gh0


def _like(x: Tensor) -> Tensor:
    return x.new_empty(x.shape)


def _fake_scan(a: Tensor, x: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    return _like(x), x.new_empty(x.shape[0], x.shape[2])


def _fake_scan_backward(a: Tensor, h: Tensor, *_: Any) -> tuple[Tensor, Tensor, Tensor]:
    return _like(a), _like(h), h.new_empty(h.shape[0], h.shape[2])


def _fake_ssm(a: Tensor, b: Tensor, c: Tensor, u: Tensor, *rest: Any) -> tuple[Tensor, ...]:
    return _like(u), a.new_empty(u.shape[0], *a.shape), _empty_checkpoints(u, a, rest[-1])


def _fake_ssm_backward(a: Tensor, b: Tensor, c: Tensor, u: Tensor, *_: Any) -> tuple[Tensor, ...]:
    return _like(a), _like(b), _like(c), _like(u), a.new_empty(u.shape[0], *a.shape)


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
    backward = torch.ops.resolvent.diagonal_scan_backward
    ga, gx, gh0 = backward(a, h, h0, resets, lengths, gh, gh_last)
    return ga, gx, None if h0 is None else gh0, None, None


def _save_ssm(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    ctx.set_materialize_grads(False)
    ctx.mark_non_differentiable(output[2])
    ctx.save_for_backward(*inputs[:7], output[2])


def _differentiate_ssm(
    ctx: Any, gy: Tensor | None, gh_last: Tensor | None, _: None
) -> tuple[Tensor | None, ...]:
    *inputs, checkpoints = ctx.saved_tensors
    if gy is None and gh_last is None:
        return (None,) * 8
    backward = torch.ops.resolvent.diagonal_ssm_backward
    ga, gb, gc, gu, gh0 = backward(*inputs, checkpoints, gy, gh_last)
    return ga, gb, gc, gu, None if inputs[4] is None else gh0, None, None, None


class Scan(torch.autograd.Function):
    """`diagonal_scan` with its gradient, without the detours of the registered one.

    That one is for tracing; in eager mode it adds some fifty microseconds to a training step.
    """

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> tuple[Tensor, Tensor]:
        """Runs the op on (a, x, h0, resets, lengths)."""
        output = torch.ops.resolvent.diagonal_scan(*inputs)
        _save_scan(ctx, inputs, output)
        return output

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, ...]:
        """Gradients of the inputs."""
        return _differentiate_scan(ctx, *grads)


class Ssm(torch.autograd.Function):
    """`diagonal_ssm` with its gradient; as `Scan`."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> tuple[Tensor, Tensor, Tensor]:
        """Runs the op on (a, b, c, u, h0, resets, lengths, keep)."""
        output = torch.ops.resolvent.diagonal_ssm(*inputs)
        _save_ssm(ctx, inputs, output)
        return output

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, ...]:
        """Gradients of the inputs."""
        return _differentiate_ssm(ctx, *grads)


def _register() -> torch.library.Library:
    library = torch.library.Library("resolvent", "DEF")
    for schema in _SCHEMAS:
        library.define(schema)
    implementations = {
        "diagonal_scan": (_scan, _fake_scan),
        "diagonal_scan_backward": (_scan_backward, _fake_scan_backward),
        "diagonal_ssm": (_ssm, _fake_ssm),
        "diagonal_ssm_backward": (_ssm_backward, _fake_ssm_backward),
    }
    for name, (real, fake) in implementations.items():
        library.impl(name, real, "CompositeExplicitAutograd")
        torch.library.register_fake(f"resolvent::{name}", fake, lib=library)
    gradients = {
        "diagonal_scan": (_differentiate_scan, _save_scan),
        "diagonal_ssm": (_differentiate_ssm, _save_ssm),
    }
    for name, (backward, save) in gradients.items():
        torch.library.register_autograd(
            f"resolvent::{name}", backward, setup_context=save, lib=library
        )
    return library


_library = _register()
