"""The causal convolution with kernels as long as the series, by Fourier transforms.

`long_convolution_reference` defines it. Axes: b batch, l length, m feature, k tap.
"""

import torch
from torch import Tensor

from resolvent.kernels import long_convolution_ops
from resolvent.kernels.arguments import cast, common_dtypes


def long_convolution_reference(u: Tensor, K: Tensor) -> Tensor:
    """The definition of `long_convolution`, tap by tap; equal dtypes."""
    y = torch.zeros_like(u)
    for j in range(min(K.shape[1], u.shape[1])):
        y = y + torch.nn.functional.pad(K[:, j] * u[:, : u.shape[1] - j], (0, 0, j, 0))
    return y


def long_convolution(u: Tensor, K: Tensor) -> Tensor:
    """Causal convolution y_t = sum_j K_j u_(t - j) of each feature with its own kernel.

    The cost grows with l log l, whatever the number of taps: for a few taps there is
    `short_convolution`. What is rounded is a share of the norm of a whole series, not of each
    number of it.

    Args:
        u: Inputs, (b, l, m), real.
        K: Kernels, (m, k), the first tap that of the present input; taps after the first l have no
            effect.

    Returns:
        y (b, l, m), of the common dtype of u and K, at least float32.

    Raises:
        ValueError: A shape or dtype does not fit.
    """
    dtype, state = common_dtypes(u, K)
    if u.dim() != 3 or state.is_complex:
        raise ValueError(f"u has shape {tuple(u.shape)}: expected (b, l, m), both tensors real.")
    if K.dim() != 2 or K.shape[0] != u.shape[2]:
        shape = tuple(K.shape)
        raise ValueError(f"K has shape {shape}: expected (m, k), m = {u.shape[2]} as in u.")
    return long_convolution_ops.long_convolution(cast(u, dtype), cast(K, dtype))
