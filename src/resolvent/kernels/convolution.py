"""The short causal convolution that many models run along time before their recurrence.

Each feature is filtered by a few taps of its own. What a later call needs of the past is the
`tail`, the last inputs. `convolution_reference` defines the op. Axes: b batch, l length, d feature,
w tap.
"""

import torch
from torch import Tensor

from resolvent.kernels import convolution_ops
from resolvent.kernels.arguments import cast, check_rows, common_dtypes


def convolution_reference(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    tail: Tensor | None = None,
    resets: Tensor | None = None,
    lengths: Tensor | None = None,
    *,
    silu: bool = False,
) -> tuple[Tensor, Tensor]:
    """The definition of `short_convolution`, row by row and step by step; equal dtypes."""
    (batch, length, d), w = x.shape, weight.shape[1]
    y, new_tail = x.new_zeros(batch, length, d), x.new_zeros(batch, w - 1, d)
    for i in range(batch):
        past = x.new_zeros(w - 1, d) if tail is None else tail[i]
        for t in range(length if lengths is None else int(lengths[i])):
            if resets is not None and resets[i, t]:
                past = torch.zeros_like(past)
            window = torch.cat([past, x[i, t, None]])
            out = (weight.mT * window).sum(dim=0)
            out = out if bias is None else out + bias
            y[i, t] = out * torch.sigmoid(out) if silu else out
            past = window[1:]
        new_tail[i] = past
    return y, new_tail


def short_convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    tail: Tensor | None = None,
    resets: Tensor | None = None,
    lengths: Tensor | None = None,
    *,
    silu: bool = False,
) -> tuple[Tensor, Tensor]:
    """Depthwise causal convolution y_t = bias + sum_j weight_j x_(t - w + 1 + j).

    Args:
        x: Inputs, (b, l, d), real.
        weight: Taps, (d, w), the last one that of the present input; as torch's conv1d has them.
        bias: (d,). Default: none.
        tail: The w - 1 inputs before the first, (b, w - 1, d). Default: zeros.
        resets: (b, l) bool; True drops the inputs before that step. Default: none.
        lengths: (b,) integers, the steps of each row; what follows is padding. Default: l for all.
            Clipped to 0..l.
        silu: Whether the output is y sigmoid(y) instead.

    Returns:
        y (b, l, d), zero from a row's length on, and the tail (b, w - 1, d) after a row's last
        step: zeros where a reset dropped an input. Both have the common dtype of x, weight, bias
        and tail, at least float32.

    Raises:
        ValueError: A shape or dtype does not fit.
    """
    dtype, state = common_dtypes(x, weight, bias, tail)
    if x.dim() != 3 or state.is_complex:
        raise ValueError(f"x has shape {tuple(x.shape)}: expected (b, l, d), all tensors real.")
    batch, length, d = x.shape
    if weight.dim() != 2 or weight.shape[0] != d or weight.shape[1] < 1:
        shape = tuple(weight.shape)
        raise ValueError(f"weight has shape {shape}: expected (d, w), d = {d} as in x, w > 0.")
    if bias is not None and bias.shape != (d,):
        raise ValueError(f"bias has shape {tuple(bias.shape)}: expected (d,) = ({d},).")
    before = (batch, weight.shape[1] - 1, d)
    if tail is not None and tail.shape != before:
        raise ValueError(f"tail has shape {tuple(tail.shape)}: expected (b, w - 1, d) = {before}.")
    check_rows((batch, length), None, (), resets, lengths)
    x, weight = cast(x, dtype), cast(weight, dtype)
    bias, tail = (x if x is None else cast(x, dtype) for x in (bias, tail))
    return convolution_ops.convolution(x, weight, bias, tail, resets, lengths, silu)
