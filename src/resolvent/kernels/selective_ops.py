"""The selective scan as an op of `torch.library`: schemas, gradients, fake tensors."""

from typing import Any

import torch
from torch import Tensor

from resolvent.kernels import selective_torch
from resolvent.kernels.registry import (
    call,
    from_checkpoints,
    kept_blocks,
    like,
    native_for,
    register,
    row_marks,
)

_INPUTS = (
    "Tensor u, Tensor dt, Tensor A, Tensor B, Tensor C, Tensor? D, Tensor? bias, Tensor? z, "
    "Tensor? h0, Tensor? resets, Tensor? lengths"
)
_GRADIENTS = ("gu", "gdt", "gA", "gB", "gC", "gD", "gbias", "gz", "gh0")
_SERIES = (0, 1, 7)
"""Inputs that may be bfloat16 where the others are float32, as are their gradients: u, dt and z."""


def is_taken(x: Tensor, i: int, real: torch.dtype) -> bool:
    """Whether the op takes input i as bfloat16, where others are of dtype `real`."""
    return i in _SERIES and x.dtype == torch.bfloat16 and real == torch.float32


def _state_like(u: Tensor, A: Tensor) -> Tensor:
    return A.new_empty(u.shape[0], *A.shape)


def _sizes(inputs: list[Any]) -> tuple[int, ...]:
    """Sizes, and which series are bfloat16 as bits of a number."""
    u, A, B = inputs[0], inputs[2], inputs[3]
    narrow = (inputs[i] is not None and inputs[i].dtype == torch.bfloat16 for i in _SERIES)
    return (*u.shape, A.shape[1], B.shape[2], sum(x << i for i, x in enumerate(narrow)))


def _empty_checkpoints(u: Tensor, A: Tensor, keep: bool) -> Tensor:
    """Room for the states that the backward pass starts from, before all blocks but the first."""
    blocks = kept_blocks(u, keep)
    return A.new_empty(u.shape[0], blocks, A.shape[1], A.shape[0])


def _for_torch(u: Tensor, A: Tensor, inputs: list[Any]) -> tuple[Any, ...]:
    h = _state_like(u, A).zero_() if inputs[8] is None else inputs[8]
    *tensors, _, resets, lengths = inputs
    tensors = [x if x is None else x.to(A.dtype) for x in tensors]
    return selective_torch.Inputs._make([*tensors, h]), resets, lengths


def _selective(*arguments: Any) -> tuple[Tensor, Tensor, Tensor]:
    *inputs, keep = arguments
    u, _, A, *_ = inputs
    checkpoints = _empty_checkpoints(u, A, keep)
    if inputs[10] is not None:  # a short row does not reach all of them
        checkpoints.zero_()
    kernels = native_for(u)
    if kernels is None:
        y, h_last = selective_torch.scan(*_for_torch(u, A, inputs))
        return y.contiguous(), h_last.contiguous(), checkpoints.zero_()
    y, h_last = A.new_empty(u.shape), _state_like(u, A)
    results = (y, h_last, checkpoints if keep else None)
    marks = row_marks(*inputs[9:])
    call(kernels.selective_forward, A, _sizes(inputs), *inputs[:9], *marks, *results)
    return y, h_last, checkpoints


def _selective_backward(*arguments: Any) -> tuple[Tensor, ...]:
    *inputs, checkpoints, gy, gh_last = arguments
    u, _, A, *_ = inputs
    gy = A.new_zeros(u.shape) if gy is None else gy
    kernels = native_for(u)
    empty = _fake_backward(*inputs)
    if kernels is None:
        gh_last = _state_like(u, A).zero_() if gh_last is None else gh_last
        given = _for_torch(u, A, inputs)
        grads = selective_torch.scan_backward(*given, gy=gy, gh=gh_last)
        pairs = zip(grads, empty, strict=True)
        return tuple(x if g is None else g.to(x.dtype).contiguous() for g, x in pairs)
    if checkpoints.shape[1] != kept_blocks(u):
        checkpoints = _selective(*inputs, True)[2]  # was not told to keep them
    given = (*inputs[:9], *row_marks(*inputs[9:]), checkpoints, gy, gh_last)
    call(kernels.selective_backward, A, _sizes(inputs), *given, *empty)
    return empty


def _fake(*arguments: Any) -> tuple[Tensor, ...]:
    u, _, A, *_, keep = arguments
    return A.new_empty(u.shape), _state_like(u, A), _empty_checkpoints(u, A, keep)


def _fake_backward(*arguments: Any) -> tuple[Tensor, ...]:
    """Shapes of all gradients; those of what is not given are empty."""
    u, dt, A, B, C, D, bias, z, *_ = arguments
    shapes = (u.new_empty(0) if x is None else like(x) for x in (u, dt, A, B, C, D, bias, z))
    return *shapes, _state_like(u, A)


_gradients = register(
    f"selective_scan_backward({_INPUTS}, Tensor checkpoints, Tensor? gy, Tensor? gh_last) -> "
    f"({', '.join(f'Tensor {name}' for name in _GRADIENTS)})",
    _selective_backward,
    _fake_backward,
)
selective = register(
    f"selective_scan({_INPUTS}, bool keep) -> (Tensor y, Tensor h_last, Tensor checkpoints)",
    _selective,
    _fake,
    from_checkpoints(_gradients, 11),
)
