"""The short causal convolution before a selective layer: one filter a feature, with its tail."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from resolvent.execute import short_convolution
from resolvent.layers.mixer import Timing, full_precision


class ShortConvolution(nn.Module):
    """y_t = bias + sum_j weight_j x_{t - width + 1 + j} for each feature on its own.

    Between calls it keeps the last width - 1 inputs of each row.

    Args:
        d: number of features.
        width: steps that the filter sees, at least 1.
        bias: whether a bias is added.
        silu: whether the output is SiLU(y).

    Raises:
        ValueError: width is not a positive integer.
    """

    def __init__(self, d: int, width: int = 4, bias: bool = True, silu: bool = True):
        super().__init__()
        if not isinstance(width, int) or width < 1:
            raise ValueError(f"width: must be a positive integer, got {width!r}")
        bound = width**-0.5  # as torch.nn.Conv1d, whose fan-in a depthwise filter has
        self.weight = nn.Parameter(torch.empty(d, width).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(d).uniform_(-bound, bound)) if bias else None
        self.silu = silu

    def forward(
        self, x: Tensor, memory: tuple[Tensor, ...], timing: Timing
    ) -> tuple[Tensor, Tensor]:
        """Filter x (b, l, d) in full precision; the new tail (b, width - 1, d).

        The earlier tail is ``memory``'s first, zeros if it is empty.
        """
        with full_precision(x.device):
            return short_convolution(
                x.to(self.weight.dtype),
                self.weight,
                self.bias,
                memory[0] if memory else None,
                timing.resets,
                timing.lengths,
                silu=self.silu,
            )

    def initial_tail(self, batch_size: int) -> Tensor:
        """Zeros (b, width - 1, d)."""
        d, width = self.weight.shape
        return self.weight.new_zeros(batch_size, width - 1, d)
