"""The recurrence of matrix states as an op of `torch.library`: schema, gradient, fake tensors.

It takes tensors of one dtype and of checked shapes (`kernels.matrix` sees to that), and runs
natively or by `kernels.matrix_torch`.
"""

from typing import Any

import torch
from torch import Tensor

from resolvent.kernels import matrix_torch
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
    "Tensor a, Tensor k, Tensor v, Tensor q, Tensor? beta, Tensor? h0, Tensor? resets, "
    "Tensor? lengths"
)
_ITEMS = 8
"""Pieces of work that a backward pass is cut into where rows and heads are few."""

_COLUMNS = 16
"""Fewest columns of a state in a piece of work."""


def _size(a: Tensor, k: Tensor, v: Tensor) -> tuple[int, ...]:
    b, l, m, r, p = v.shape
    return b, l, m, k.shape[2], r, k.shape[4], p, a.shape[3]


def _state(k: Tensor, v: Tensor) -> tuple[int, ...]:
    return v.shape[0], v.shape[2], k.shape[4], v.shape[4]


def _empty_checkpoints(k: Tensor, v: Tensor, keep: bool) -> Tensor:
    """Room for the states that the backward pass starts from, before all blocks but the first."""
    b, *state = _state(k, v)
    return v.new_empty(b, kept_blocks(v, keep), *state)


def _scan(
    a: Tensor,
    k: Tensor,
    v: Tensor,
    q: Tensor,
    beta: Tensor | None,
    h0: Tensor | None,
    resets: Tensor | None,
    lengths: Tensor | None,
    keep: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    checkpoints = _empty_checkpoints(k, v, keep)
    kernels = native_for(v)
    if kernels is None:
        y, h_last = matrix_torch.scan(a, k, v, q, beta, h0, resets, lengths)
        return y.contiguous(), h_last.contiguous(), checkpoints.zero_()
    y, h_last = like(v[..., 0, :]), v.new_empty(_state(k, v))
    inputs = a, k, v, q, beta, h0, *row_marks(resets, lengths)
    results = y, h_last, checkpoints if keep else None
    call(kernels.matrix_scan_forward, v, _size(a, k, v), *inputs, *results)
    return y, h_last, checkpoints


def _scan_backward(*arguments: Any) -> tuple[Tensor, ...]:
    inputs, (checkpoints, gy, gh_last) = arguments[:8], arguments[8:]
    a, k, v, q, beta, h0, resets, lengths = inputs
    gy = v.new_zeros(v[..., 0, :].shape) if gy is None else gy
    kernels = native_for(v)
    if kernels is None or not v.numel() or not k.numel():
        return _backward_by_torch(inputs, gy, gh_last)
    if checkpoints.shape[1] != kept_blocks(v):
        checkpoints = _scan(*inputs, keep=True)[2]  # was not told to keep them
    # gradients that several pieces of work add to are summed here: always in the same order
    b, _, m, g, _, _, p, _ = size = _size(a, k, v)
    slices = max(1, min(p // _COLUMNS, _ITEMS // max(b * m, 1)))
    parts = max(1, min(m // max(g, 1) * slices, -(-_ITEMS // max(b * g, 1))))
    ga, gbeta = (v.new_empty(slices, *x.shape) for x in (a, _or_empty(beta, v)))
    gk, gq = (v.new_empty(parts, *x.shape) for x in (k, q))
    gv, gh0 = like(v), v.new_empty(_state(k, v))
    given = a, k, v, q, beta, h0, *row_marks(resets, lengths), checkpoints, gy, gh_last
    results = ga, gbeta, gk, gq, gv, gh0
    call(kernels.matrix_scan_backward, v, (*size, slices, parts), *given, *results)
    ga, gk, gq, gbeta = (x[0] if len(x) == 1 else x.sum(0) for x in (ga, gk, gq, gbeta))
    return ga, gk, gv, gq, gbeta, gh0


def _or_empty(x: Tensor | None, other: Tensor) -> Tensor:
    return other.new_empty(0) if x is None else x


def _backward_by_torch(
    inputs: tuple[Any, ...], gy: Tensor, gh_last: Tensor | None
) -> tuple[Tensor, ...]:
    *tensors, h0, resets, lengths = inputs
    shaped = _fake_backward(*inputs)
    h0 = torch.zeros_like(shaped[-1]) if h0 is None else h0

    def op(*given: Tensor) -> tuple[Tensor, Tensor]:
        return matrix_torch.scan(*given, resets=resets, lengths=lengths)

    return gradients_again(op, (*tensors, h0), shaped, (gy, gh_last))


def _fake(a: Tensor, k: Tensor, v: Tensor, *rest: Any) -> tuple[Tensor, ...]:
    return like(v[..., 0, :]), v.new_empty(_state(k, v)), _empty_checkpoints(k, v, rest[-1])


def _fake_backward(a: Tensor, k: Tensor, v: Tensor, q: Tensor, *rest: Any) -> tuple[Tensor, ...]:
    grads = (a, k, v, q, _or_empty(rest[0], v))
    return *(like(x) for x in grads), v.new_empty(_state(k, v))


_gradients = register(
    f"matrix_scan_backward({_INPUTS}, Tensor checkpoints, Tensor? gy, Tensor? gh_last)"
    " -> (Tensor ga, Tensor gk, Tensor gv, Tensor gq, Tensor gbeta, Tensor gh0)",
    _scan_backward,
    _fake_backward,
)
scan = register(
    f"matrix_scan({_INPUTS}, bool keep) -> (Tensor y, Tensor h_last, Tensor checkpoints)",
    _scan,
    _fake,
    from_checkpoints(_gradients, 8),
)
