"""Zero-order hold as an op of `torch.library`, with its path on PyTorch operations."""

import math
from typing import Any

import torch
from torch import Tensor

from resolvent.kernels.registry import Gradient, call, like, native_for, register


def reference(values: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
    """The definition of `zoh`; its own gradients cancel near dt * values = 0."""
    z, zero = dt * values, values == 0
    return z.exp(), torch.where(zero, dt, torch.expm1(z) / torch.where(zero, 1, values))


def _spread(values: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
    """Both in their broadcast shape, as the kernels want them."""
    values, dt = torch.broadcast_tensors(values, dt)
    return values.contiguous(), dt.contiguous()


def _zoh(values: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
    values, dt = _spread(values, dt)
    kernels = native_for(values)
    if kernels is None:
        return reference(values, dt)
    a, s = like(values), like(values)
    call(kernels.zoh_forward, values, (values.numel(),), values, dt, a, s)
    return a, s


def _zoh_backward(
    values: Tensor, dt: Tensor, ga: Tensor | None, gs: Tensor | None
) -> tuple[Tensor, Tensor]:
    shapes = values.shape, dt.shape
    values, dt = _spread(values, dt)
    ga, gs = (torch.zeros_like(values) if g is None else g for g in (ga, gs))
    kernels = native_for(values)
    if kernels is None:
        gvalues, gdt = _closed_form(values, dt, ga, gs)
    else:
        gvalues, gdt = like(values), like(dt)
        call(kernels.zoh_backward, values, (values.numel(),), values, dt, ga, gs, gvalues, gdt)
    return gvalues.sum_to_size(shapes[0]).contiguous(), gdt.sum_to_size(shapes[1]).contiguous()


def _closed_form(values: Tensor, dt: Tensor, ga: Tensor, gs: Tensor) -> tuple[Tensor, Tensor]:
    a, s = _zoh(values, dt)
    z = dt * values
    near = z.abs() < 0.2  # where (dt a - s) / values cancels, its series
    small, series = torch.where(near, z, 0), torch.zeros_like(z)
    for k in range(12, -1, -1):
        series = series * small + 1 / (math.factorial(k) * (k + 2))
    slope = torch.where(near, dt**2 * series, (dt * a - s) / torch.where(near, 1, values))
    gvalues = (dt * a).conj() * ga + slope.conj() * gs
    gdt = (values * a).conj() * ga + a.conj() * gs
    return gvalues.resolve_conj(), gdt.real if gdt.is_complex() else gdt


def _like_pair(values: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
    a = values.new_empty(torch.broadcast_shapes(values.shape, dt.shape))
    return a, like(a)


def _save(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(*inputs)


def _differentiate(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
    return torch.ops.resolvent.zoh_backward(*ctx.saved_tensors, *grads)


register(
    "zoh_backward(Tensor values, Tensor dt, Tensor? ga, Tensor? gs)"
    " -> (Tensor gvalues, Tensor gdt)",
    _zoh_backward,
    lambda values, dt, *_: (like(values), like(dt)),
)
zoh = register(
    "zoh(Tensor values, Tensor dt) -> (Tensor a, Tensor s)",
    _zoh,
    _like_pair,
    Gradient(_differentiate, _save),
)
