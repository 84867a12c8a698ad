"""The short causal convolution as an op of `torch.library`, with its path on PyTorch operations."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from resolvent.kernels.arguments import real_steps
from resolvent.kernels.registry import (
    Gradient,
    call,
    gradients_again,
    like,
    native_for,
    register,
    row_marks,
)

_INPUTS = (
    "Tensor x, Tensor weight, Tensor? bias, Tensor? tail, Tensor? resets, Tensor? lengths, "
    "bool silu"
)


def _by_torch(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    tail: Tensor | None,
    resets: Tensor | None,
    lengths: Tensor | None,
    silu: bool,
) -> tuple[Tensor, Tensor]:
    """All steps at once, tap by tap; inputs count where no reset lies between them and the step."""
    (b, l, d), before = x.shape, weight.shape[1] - 1
    inside = None
    if lengths is not None:
        lengths = lengths.long().clamp(0, l)
        inside = real_steps(x, lengths)[..., None]
        x = torch.where(inside, x, 0)
    series = torch.cat([x.new_zeros(b, before, d) if tail is None else tail, x], dim=1)
    epoch = None if resets is None else pad(resets.long().cumsum(1), (before, 0))
    y = x.new_zeros(d) if bias is None else bias
    for j in range(before + 1):
        part = series[:, j : j + l]
        if epoch is not None:
            part = torch.where((epoch[:, j : j + l] == epoch[:, before:])[..., None], part, 0)
        y = y + weight[:, j] * part
    y = torch.nn.functional.silu(y) if silu else y
    y = y if inside is None else torch.where(inside, y, 0)

    last = x.new_full((b,), l, dtype=torch.long) if lengths is None else lengths
    index = last[:, None] + torch.arange(before, device=x.device)
    new_tail = series.gather(1, index[..., None].expand(-1, -1, d))
    if epoch is not None and before:
        alive = epoch.gather(1, index) == epoch.gather(1, index[:, -1:])
        new_tail = torch.where(alive[..., None], new_tail, 0)
    return y, new_tail


def _sizes(x: Tensor, weight: Tensor, silu: bool) -> tuple[int, ...]:
    return (*x.shape, weight.shape[1], silu)


def _convolution(*arguments: Any) -> tuple[Tensor, Tensor]:
    *tensors, resets, lengths, silu = arguments
    x, weight = tensors[:2]
    kernels = native_for(x)
    if kernels is None:
        y, tail = _by_torch(*arguments)
        return y.contiguous(), tail.contiguous()
    y, tail = like(x), _tail_like(x, weight)
    marks = row_marks(resets, lengths)
    sizes = _sizes(x, weight, silu)
    call(kernels.convolution_forward, x, sizes, *tensors, *marks, y, tail)
    return y, tail


def _convolution_backward(*arguments: Any) -> tuple[Tensor, ...]:
    *tensors, resets, lengths, silu, gy, gtail = arguments
    x, weight = tensors[:2]
    gy = torch.zeros_like(x) if gy is None else gy
    kernels = native_for(x)
    if kernels is None:

        def op(*given: Tensor) -> tuple[Tensor, Tensor]:
            return _by_torch(*given, resets=resets, lengths=lengths, silu=silu)

        return gradients_again(op, tensors, _fake_backward(x, weight), (gy, gtail))
    grads = _fake_backward(x, weight)
    given = (*tensors, *row_marks(resets, lengths), gy, gtail)
    call(kernels.convolution_backward, x, _sizes(x, weight, silu), *given, *grads)
    return grads


def _tail_like(x: Tensor, weight: Tensor) -> Tensor:
    return x.new_empty(x.shape[0], weight.shape[1] - 1, x.shape[2])


def _fake(x: Tensor, weight: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    return like(x), _tail_like(x, weight)


def _fake_backward(x: Tensor, weight: Tensor, *_: Any) -> tuple[Tensor, ...]:
    return like(x), like(weight), x.new_empty(x.shape[2]), _tail_like(x, weight)


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    ctx.set_materialize_grads(False)
    *tensors, ctx.silu = inputs
    ctx.save_for_backward(*tensors)


def _differentiate(ctx: Any, gy: Tensor | None, gtail: Tensor | None) -> tuple[Tensor | None, ...]:
    inputs = ctx.saved_tensors
    if gy is None and gtail is None:
        return (None,) * 7
    gx, gweight, gbias, gpast = _gradients(*inputs, ctx.silu, gy, gtail)
    _, _, bias, tail, *_ = inputs
    given = (gx, gweight, None if bias is None else gbias, None if tail is None else gpast)
    return *given, None, None, None


_gradients = register(
    f"short_convolution_backward({_INPUTS}, Tensor? gy, Tensor? gtail)"
    " -> (Tensor gx, Tensor gweight, Tensor gbias, Tensor gpast)",
    _convolution_backward,
    _fake_backward,
)
convolution = register(
    f"short_convolution({_INPUTS}) -> (Tensor y, Tensor new_tail)",
    _convolution,
    _fake,
    Gradient(_differentiate, _save),
)
