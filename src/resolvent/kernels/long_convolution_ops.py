"""The long causal convolution as an op of `torch.library`, with its path on PyTorch operations."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.fft import irfft, rfft

from resolvent.kernels.registry import Gradient, call, like, native_for, register


def by_transforms(u: Tensor, K: Tensor, multiply: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Causal convolution of u (b, l, ...) with K (..., k), given the product of their spectra."""
    length = u.shape[1]
    size = 1 << (2 * length - 1).bit_length()
    spectrum = multiply(rfft(K[..., :length], size), rfft(u, size, dim=1))
    return irfft(spectrum, size, dim=1)[:, :length]


def product(u: Tensor, K: Tensor) -> Tensor:
    """The same of each feature with its own kernel, u (b, l, m) and K (m, k) or (b, m, k)."""
    return by_transforms(u, K, lambda K, u: K.mT * u)


def _is_empty(u: Tensor, K: Tensor) -> bool:
    return not (u.numel() and K.numel())


def _convolution(u: Tensor, K: Tensor) -> Tensor:
    if _is_empty(u, K):
        return like(u).zero_()
    kernels = native_for(u)
    if kernels is None:
        return product(u, K).contiguous()
    y = like(u)
    call(kernels.long_convolution_forward, u, (*u.shape, K.shape[1]), K.mT, u, y)
    return y


def backward(u: Tensor, K: Tensor, gy: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients gu_t = sum_j K_j gy_(t + j), and gK_j = sum_t gy_(t + j) u_t over all rows.

    The kernels want taps first: gK is a transpose of such numbers; K is not copied if it is one.
    """
    taps = K.shape[1]
    if _is_empty(u, K):
        return like(u).zero_(), like(K).zero_()
    kernels = native_for(u)
    if kernels is None:
        late = gy.flip(1)
        gK = product(u, late.mT).sum(0).flip(0)[:taps]
        gK = torch.nn.functional.pad(gK, (0, 0, 0, taps - gK.shape[0]))
        return product(late, K).flip(1).contiguous(), gK.mT
    gu, gK = like(u), u.new_empty(taps, u.shape[2])
    call(kernels.long_convolution_backward, u, (*u.shape, taps), K.mT, u, gy, gK, gu)
    return gu, gK.mT


def _backward(u: Tensor, K: Tensor, gy: Tensor) -> tuple[Tensor, Tensor]:
    gu, gK = backward(u, K, gy)
    return gu, gK.contiguous()


def _fake_backward(u: Tensor, K: Tensor, gy: Tensor) -> tuple[Tensor, Tensor]:
    return like(u), like(K)


def _save(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _differentiate(ctx: Any, gy: Tensor) -> tuple[Tensor, Tensor]:
    return _gradients(*ctx.saved_tensors, gy)


_gradients = register(
    "long_convolution_backward(Tensor u, Tensor K, Tensor gy) -> (Tensor gu, Tensor gK)",
    _backward,
    _fake_backward,
)
long_convolution = register(
    "long_convolution(Tensor u, Tensor K) -> Tensor",
    _convolution,
    lambda u, K: like(u),
    Gradient(_differentiate, _save),
)
