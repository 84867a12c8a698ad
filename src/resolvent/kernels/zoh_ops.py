"""Zero-order hold as an op of `torch.library`, with its path on PyTorch operations.

`hold` and `hold_backward` are for ops that discretise by themselves.
"""

import math
from typing import Any

import torch
from torch import Tensor

from resolvent.kernels.registry import Gradient, call, like, native_for, register


def reference(values: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
    """The definition of `zoh`; its own gradients cancel near dt * values = 0."""
    z, zero = dt * values, values == 0
    return z.exp(), torch.where(zero, dt, torch.expm1(z) / torch.where(zero, 1, values))


def hold(values: Tensor, B: Tensor | None, dt: Tensor) -> tuple[Tensor, Tensor]:
    """The pair (a, s B), or (a, s) without B, of values and B (m, n) and dt (m, 1) or (m, n)."""
    kernels = native_for(values)
    if kernels is None:
        a, s = reference(values, dt)
        return a, s if B is None else s * B
    a, b = like(values), like(values)
    call(kernels.zoh_forward, values, _sizes(values, dt), values, dt, B, a, b)
    return a, b


def hold_backward(
    values: Tensor, B: Tensor | None, dt: Tensor, ga: Tensor, gb: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of values, B (of s, without B) and dt from those of the pair."""
    kernels = native_for(values)
    if kernels is None:
        gs = gb if B is None else B.conj() * gb
        gvalues, gdt = _closed_form(values, dt, ga, gs)
        gB = reference(values, dt)[1].conj() * gb
        return gvalues, gB, gdt.sum_to_size(dt.shape).contiguous()
    gvalues, gB, gdt = like(values), like(values), like(dt)
    arrays = values, dt, B, ga, gb, gvalues, gdt, gB
    call(kernels.zoh_backward, values, _sizes(values, dt), *arrays)
    return gvalues, gB, gdt


def _sizes(values: Tensor, dt: Tensor) -> tuple[int, int]:
    """How many step sizes there are, and how many values share each."""
    return dt.numel(), values.shape[-1] if dt.shape != values.shape else 1


def _zoh(values: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
    values, dt = _spread(values, dt)
    return hold(values, None, dt)


def _spread(values: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
    """Both in their broadcast shape, but for neighbours that share a step size."""
    if not values.ndim or dt.shape != (*values.shape[:-1], 1):
        values, dt = torch.broadcast_tensors(values, dt)
    return values.contiguous(), dt.contiguous()


def _zoh_backward(
    values: Tensor, dt: Tensor, ga: Tensor | None, gs: Tensor | None
) -> tuple[Tensor, Tensor]:
    shapes = values.shape, dt.shape
    values, dt = _spread(values, dt)
    ga, gs = (torch.zeros_like(values) if g is None else g for g in (ga, gs))
    gvalues, _, gdt = hold_backward(values, None, dt, ga, gs)
    return gvalues.sum_to_size(shapes[0]).contiguous(), gdt.sum_to_size(shapes[1]).contiguous()


def _closed_form(values: Tensor, dt: Tensor, ga: Tensor, gs: Tensor) -> tuple[Tensor, Tensor]:
    a, s = reference(values, dt)
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
    return _gradients(*ctx.saved_tensors, *grads)


_gradients = register(
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
