"""The recurrences of cells as ops of `torch.library`: one for each cell, from one function.

They take tensors of one dtype and of checked shapes (`kernels.cells` sees to that), and run
natively or by `kernels.cells_torch`.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from resolvent.kernels import cells_torch
from resolvent.kernels.cells_torch import CELLS
from resolvent.kernels.registry import (
    call,
    from_checkpoints,
    kept_blocks,
    like,
    native_for,
    register,
    row_marks,
)

_INPUTS = "Tensor x, Tensor weight, Tensor? bias, Tensor? h0, Tensor? resets, Tensor? lengths"
_SPLIT = ("gru",)
"""Cells in which the gradients of the two shares of a gate differ."""


def _units(weight: Tensor) -> int:
    return weight.shape[1] * weight.shape[2]


def _sizes(cell: str, x: Tensor, weight: Tensor) -> tuple[int, ...]:
    return *x.shape[:2], *weight.shape[1:3], list(CELLS).index(cell)


def _empty(cell: str, x: Tensor, weight: Tensor, keep: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Room for h, the last state, and what of the states before blocks is not h."""
    (b, l, _), d, states = x.shape, _units(weight), CELLS[cell].states
    kept = x.new_empty(b, kept_blocks(x, keep) if states > 1 else 0, states - 1, d)
    return x.new_empty(b, l, d), x.new_empty(b, states * d), kept


def _start(cell: str, x: Tensor, weight: Tensor, h0: Tensor | None) -> Tensor:
    return x.new_zeros(x.shape[0], CELLS[cell].states * _units(weight)) if h0 is None else h0


def _scan(cell: str, *arguments: Any) -> tuple[Tensor, Tensor, Tensor]:
    x, weight, bias, h0, resets, lengths, keep = arguments
    h, last, checkpoints = _empty(cell, x, weight, keep)
    if lengths is not None:  # a short row does not reach all of them
        checkpoints.zero_()
    kernels = native_for(x)
    if kernels is None:
        start = _start(cell, x, weight, h0)
        h, last = cells_torch.scan(cell, x, weight, bias, start, resets, lengths)
        # the outputs of an op are its own
        return h.clone(), last.clone(), checkpoints.zero_()
    given = x, weight, bias, h0, *row_marks(resets, lengths)
    results = h, last, checkpoints if keep else None
    call(kernels.cell_forward, x, _sizes(cell, x, weight), *given, *results)
    return h, last, checkpoints


def _backward(cell: str, *arguments: Any) -> tuple[Tensor, ...]:
    x, weight, bias, h0, resets, lengths, h, checkpoints, gh, glast = arguments
    kernels = native_for(x)
    if kernels is None:
        start = _start(cell, x, weight, h0)
        gh = torch.zeros_like(h) if gh is None else gh
        glast = torch.zeros_like(start) if glast is None else glast
        given = x, weight, bias, start
        return cells_torch.scan_backward(cell, given, (resets, lengths), gh, glast)
    if CELLS[cell].states > 1 and checkpoints.shape[1] != kept_blocks(x):
        checkpoints = _scan(cell, *arguments[:6], True)[2]  # was not told to keep them
    gx, gh0 = like(x), _start(cell, x, weight, None)
    gr = like(x) if cell in _SPLIT else None
    given = x, weight, bias, h0, *row_marks(resets, lengths), h, checkpoints, gh, glast
    call(kernels.cell_backward, x, _sizes(cell, x, weight), *given, gx, gr, gh0)
    shares = gx if gr is None else gr
    gbias = x.new_empty(0) if bias is None else shares.sum((0, 1))
    return gx, _weight_gradient(shares, weight, h, h0, resets), gbias, gh0


def _weight_gradient(
    gr: Tensor, weight: Tensor, h: Tensor, h0: Tensor | None, resets: Tensor | None
) -> Tensor:
    """Sum over all steps of the gradient of R h_{t-1} times h_{t-1}: one large product a head."""
    before = torch.zeros_like(h)
    before[:, 1:] = h[:, :-1]
    if h0 is not None and h.shape[1]:
        before[:, 0] = h0[:, : h.shape[2]]
    if resets is not None:
        before[resets] = 0
    gates, heads, n, _ = weight.shape
    grad = torch.empty_like(weight)
    for head in range(heads):
        left = gr.unflatten(2, (gates, heads, n))[:, :, :, head].reshape(-1, gates * n)
        right = before.unflatten(2, (heads, n))[:, :, head].reshape(-1, n)
        grad[:, head] = (left.mT @ right).view(gates, n, n)
    return grad


def _register(cell: str) -> Callable[..., tuple[Tensor, Tensor, Tensor]]:
    def real(*arguments: Any) -> tuple[Tensor, ...]:
        return _scan(cell, *arguments)

    def fake(*arguments: Any) -> tuple[Tensor, ...]:
        x, weight, *_, keep = arguments
        return _empty(cell, x, weight, keep)

    def real_backward(*arguments: Any) -> tuple[Tensor, ...]:
        return _backward(cell, *arguments)

    def fake_backward(*arguments: Any) -> tuple[Tensor, ...]:
        x, weight, bias, *_ = arguments
        gbias = x.new_empty(0) if bias is None else like(bias)
        return like(x), like(weight), gbias, _start(cell, x, weight, None)

    gradients = register(
        f"{cell}_scan_backward({_INPUTS}, Tensor h, Tensor checkpoints, Tensor? gh, "
        "Tensor? glast) -> (Tensor gx, Tensor gweight, Tensor gbias, Tensor gh0)",
        real_backward,
        fake_backward,
    )
    return register(
        f"{cell}_scan({_INPUTS}, bool keep) -> (Tensor h, Tensor last, Tensor checkpoints)",
        real,
        fake,
        from_checkpoints(gradients, 6, keeps_output=True),
    )


SCANS = {cell: _register(cell) for cell in CELLS}
