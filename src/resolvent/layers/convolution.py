"""The short causal convolution before a selective layer: one filter a feature, with its tail."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from resolvent.layers.mixer import Timing, full_precision
from resolvent.topology.tail import keep_last, since_reset


class ShortConvolution(nn.Module):
    """y_t = bias + sum_j weight_j x_{t-j}, j = 0 .. width - 1, for each feature on its own.

    Between calls it keeps the last width - 1 inputs of each row.

    Args:
        d: number of features.
        width: steps that the filter sees, at least 1.
        bias: whether a bias is added.

    Raises:
        ValueError: width is not a positive integer.
    """

    def __init__(self, d: int, width: int = 4, bias: bool = True):
        super().__init__()
        if not isinstance(width, int) or width < 1:
            raise ValueError(f"width: must be a positive integer, got {width!r}")
        bound = width**-0.5  # as torch.nn.Conv1d, whose fan-in a depthwise filter has
        self.weight = nn.Parameter(torch.empty(d, width).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(d).uniform_(-bound, bound)) if bias else None

    def forward(self, x: Tensor, tail: Tensor | None, timing: Timing) -> tuple[Tensor, Tensor]:
        """Filter x (b, l, d) after the tail (b, width - 1, d), zeros by default; the new tail."""
        with full_precision(x.device):
            x = x.to(self.weight.dtype)
            if tail is None:
                tail = self.initial_tail(x.shape[0]).to(x.device)
            return _filter(x, self.weight, self.bias, tail.to(x.dtype), timing)

    def initial_tail(self, batch_size: int) -> Tensor:
        """Zeros (b, width - 1, d)."""
        d, width = self.weight.shape
        return self.weight.new_zeros(batch_size, width - 1, d)


def _filter(
    x: Tensor, weight: Tensor, bias: Tensor | None, tail: Tensor, timing: Timing
) -> tuple[Tensor, Tensor]:
    length, size = x.shape[1], tail.shape[1]
    steps = torch.cat([tail, x], 1)
    age = None if timing.resets is None else since_reset(timing.resets)
    y = x * weight[:, -1]
    for lag in range(1, size + 1):
        earlier = steps[:, size - lag : size - lag + length] * weight[:, -1 - lag]
        y = y + (earlier if age is None else earlier * (age >= lag)[..., None])
    y = y if bias is None else y + bias
    return y, keep_last(steps, size, timing.resets, timing.lengths)
