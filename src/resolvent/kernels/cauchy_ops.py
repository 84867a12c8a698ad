"""Cauchy products as an op of `torch.library`, with their path on PyTorch operations."""

from typing import Any

import torch
from torch import Tensor, conj_physical

from resolvent.kernels.registry import Gradient, call, like, native_for, register

BUDGET = 1 << 22
"""Fractions that the path on PyTorch operations holds at once.

It conjugates numbers and not views of them, which are not always resolved within an op.
"""


def _sizes(values: Tensor, w: Tensor, s: Tensor) -> tuple[int, ...]:
    return (*w.shape, s.shape[0])


def _like_products(values: Tensor, w: Tensor, s: Tensor) -> Tensor:
    return w.new_empty(*w.shape[:2], s.shape[0])


def _parts(x: Tensor, values: Tensor) -> tuple[Tensor, ...]:
    """A few points (..., f) at a time."""
    return x.split(max(1, BUDGET // max(values.numel(), 1)), -1)


def _fractions(values: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
    """1 / (s - v) and 1 / (s - conj(v)), (m, n, f)."""
    return 1 / (s - values[..., None]), 1 / (s - conj_physical(values)[..., None])


def _cauchy(values: Tensor, w: Tensor, s: Tensor) -> Tensor:
    kernels = native_for(w)
    if kernels is not None:
        y = _like_products(values, w, s)
        call(kernels.cauchy_forward, w, _sizes(values, w, s), values, w, s, y)
        return y
    products = []
    for some in _parts(s, values):
        upper, lower = _fractions(values, some)
        products.append(w @ upper + conj_physical(w) @ lower)
    return torch.cat(products, -1).contiguous()


def _cauchy_backward(values: Tensor, w: Tensor, s: Tensor, gy: Tensor) -> tuple[Tensor, Tensor]:
    kernels = native_for(w)
    gvalues, gw = _like_gradients(values, w)
    if kernels is not None:
        sizes = _sizes(values, w, s)
        call(kernels.cauchy_backward, w, sizes, values, w, s, gy, gvalues, gw)
        return gvalues, gw
    gvalues.zero_()
    gw.zero_()
    weights = conj_physical(w).mT
    for some, g in zip(_parts(s, values), _parts(gy, values), strict=True):
        upper, lower = _fractions(values, some)
        upper, other = conj_physical(upper), conj_physical(g)
        gw += g @ upper.mT + other @ lower.mT
        gvalues += (weights @ g * upper**2 + weights @ other * lower**2).sum(-1)
    return gvalues, gw


def _like_gradients(values: Tensor, w: Tensor, *_: Tensor) -> tuple[Tensor, Tensor]:
    return like(values), like(w)


def _save(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _differentiate(ctx: Any, gy: Tensor) -> tuple[Tensor | None, ...]:
    return *_gradients(*ctx.saved_tensors, gy), None


_gradients = register(
    "cauchy_backward(Tensor values, Tensor w, Tensor s, Tensor gy) -> (Tensor gvalues, Tensor gw)",
    _cauchy_backward,
    _like_gradients,
)
cauchy = register(
    "cauchy(Tensor values, Tensor w, Tensor s) -> Tensor",
    _cauchy,
    _like_products,
    Gradient(_differentiate, _save),
)
