"""The diagonal system with dense maps as an op of `torch.library`: schema, gradient, fake tensors.

All is real here: a (parts, n), b (p, N), c (N, q) and states (b, N), where N = parts n. The op
takes tensors of one dtype and of checked shapes (`kernels.mimo` sees to that), and runs natively or
by PyTorch operations.
"""

from typing import Any

import torch
from torch import Tensor

from resolvent.kernels import diagonal_ops
from resolvent.kernels.arguments import real_steps
from resolvent.kernels.registry import (
    call,
    from_checkpoints,
    gradients_again,
    kept_blocks,
    like,
    native_for,
    register,
    row_marks,
)

_INPUTS = (
    "Tensor a, Tensor b, Tensor c, Tensor? d, Tensor u, Tensor? h0, Tensor? resets, Tensor? lengths"
)


def _call(kernel: Any, a: Tensor, c: Tensor, u: Tensor, *arrays: Tensor | None) -> None:
    sizes = (*u.shape[:2], a.shape[1], u.shape[2], c.shape[1])
    call(kernel, u, sizes, *arrays, is_complex=len(a) == 2)


def _results(a: Tensor, c: Tensor, u: Tensor, keep: bool) -> tuple[Tensor, Tensor, Tensor]:
    y, h_last = u.new_empty(*u.shape[:2], c.shape[1]), u.new_empty(u.shape[0], a.numel())
    return y, h_last, u.new_empty(u.shape[0], kept_blocks(u, keep), a.numel())


def _mimo(
    a: Tensor,
    b: Tensor,
    c: Tensor,
    d: Tensor | None,
    u: Tensor,
    h0: Tensor | None,
    resets: Tensor | None,
    lengths: Tensor | None,
    keep: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    y, h_last, checkpoints = _results(a, c, u, keep)
    kernels = native_for(u)
    if kernels is None:
        y, h_last = _by_torch(a, b, c, d, u, h0, resets, lengths)
        return y.contiguous(), h_last.contiguous(), checkpoints.zero_()
    given = a, b, c, d, u, h0, *row_marks(resets, lengths)
    kept = checkpoints if keep else None
    _call(kernels.diagonal_mimo_forward, a, c, u, *given, y, h_last, kept)
    return y, h_last, checkpoints


def _mimo_backward(*arguments: Any) -> tuple[Tensor, ...]:
    inputs, (checkpoints, gy, gh_last) = arguments[:8], arguments[8:]
    a, b, c, d, u, h0, resets, lengths = inputs
    gy = u.new_zeros(*u.shape[:2], c.shape[1]) if gy is None else gy
    kernels = native_for(u)
    if kernels is None:
        return _backward_by_torch(inputs, gy, gh_last)
    if checkpoints.shape[1] != kept_blocks(u):
        checkpoints = _mimo(*inputs, keep=True)[2]  # was not told to keep them
    grads = tuple(like(x) for x in (a, b, c))
    grads += c.new_empty(c.shape[1]), like(u), u.new_empty(u.shape[0], a.numel())
    given = a, b, c, d, u, h0, *row_marks(resets, lengths), checkpoints, gy, gh_last
    _call(kernels.diagonal_mimo_backward, a, c, u, *given, *grads)
    return grads


def _by_torch(
    a: Tensor,
    b: Tensor,
    c: Tensor,
    d: Tensor | None,
    u: Tensor,
    h0: Tensor | None,
    resets: Tensor | None,
    lengths: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """The same between two matrix products of PyTorch; differentiable."""
    x = u @ b
    h0 = None if h0 is None else numbers(h0, len(a))
    h, last = diagonal_ops.scan(
        numbers(a.flatten(), len(a)), numbers(x, len(a)), h0, resets, lengths
    )
    y = reals(h) @ c
    if d is not None:
        skip = d * u
        if lengths is not None:
            skip = torch.where(real_steps(u, lengths)[..., None], skip, 0)
        y = y + skip
    return y, reals(last)


def numbers(x: Tensor, parts: int) -> Tensor:
    """(..., parts n) -> (..., n), complex where there are two parts."""
    return torch.complex(*x.unflatten(-1, (2, -1)).unbind(-2)) if parts == 2 else x


def reals(x: Tensor) -> Tensor:
    """Inverse of `numbers`: real parts before imaginary parts."""
    return torch.cat((x.real, x.imag), -1) if x.is_complex() else x


def _backward_by_torch(
    inputs: tuple[Any, ...], gy: Tensor, gh_last: Tensor | None
) -> tuple[Tensor, ...]:
    *tensors, h0, resets, lengths = inputs
    shaped = _fake_backward(*inputs)
    h0 = torch.zeros_like(shaped[-1]) if h0 is None else h0

    def op(*given: Tensor) -> tuple[Tensor, Tensor]:
        return _by_torch(*given, resets=resets, lengths=lengths)

    return gradients_again(op, (*tensors, h0), shaped, (gy, gh_last))


def _fake(a: Tensor, b: Tensor, c: Tensor, d: Tensor | None, u: Tensor, *rest: Any) -> Any:
    return _results(a, c, u, rest[-1])


def _fake_backward(a: Tensor, b: Tensor, c: Tensor, d: Tensor | None, u: Tensor, *_: Any) -> Any:
    gd, gh0 = c.new_empty(c.shape[1]), u.new_empty(u.shape[0], a.numel())
    return like(a), like(b), like(c), gd, like(u), gh0


_gradients = register(
    f"diagonal_mimo_backward({_INPUTS}, Tensor checkpoints, Tensor? gy, Tensor? gh_last)"
    " -> (Tensor ga, Tensor gb, Tensor gc, Tensor gd, Tensor gu, Tensor gh0)",
    _mimo_backward,
    _fake_backward,
)
mimo = register(
    f"diagonal_mimo({_INPUTS}, bool keep) -> (Tensor y, Tensor h_last, Tensor checkpoints)",
    _mimo,
    _fake,
    from_checkpoints(_gradients, 8),
)
