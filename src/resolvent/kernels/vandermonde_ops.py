"""The kernels of diagonal systems as an op of `torch.library`, by the recurrence of `diagonal_ssm`.

Its gradients are polynomials in the decays and their slopes, which have a native kernel of their
own; without it they come from the recurrence too.
"""

from typing import Any

import torch
from torch import Tensor

from resolvent.kernels import diagonal_torch
from resolvent.kernels.registry import Gradient, call, like, native_for, register


def _system(
    a: Tensor, w: Tensor, length: int
) -> tuple[Tensor, Tensor, Tensor, None, Tensor, None, None, None]:
    """Arguments of `diagonal_ssm`: what answers with the kernel, and 1 at the first step."""
    u = torch.zeros(1, length, a.shape[0], dtype=a.dtype.to_real(), device=a.device)
    u[:, :1] = 1
    return a, torch.ones_like(w), w, None, u, None, None, None


def forward(a: Tensor, w: Tensor, length: int) -> Tensor:
    """Kernels (length, m) of a and w (m, n)."""
    kernels, system = native_for(a), _system(a, w, length)
    if kernels is None:
        return diagonal_torch.ssm(*system)[0][0].contiguous()
    K, h_last = a.new_empty(length, a.shape[0], dtype=a.dtype.to_real()), like(a)
    call(kernels.diagonal_ssm_forward, a, (1, length, *a.shape), *system, K, h_last, None)
    return K


def backward(a: Tensor, w: Tensor, gK: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of a and w from that of the kernels, (length, m)."""
    kernels = native_for(gK)
    if kernels is None:
        system = _system(a, w, gK.shape[0])
        ga, _, gw, *_ = diagonal_torch.ssm_backward(*system, gK[None], a.new_zeros(1, *a.shape))
        return ga.contiguous(), gw.contiguous()
    ga, gw = like(a), like(w)
    call(kernels.vandermonde_backward, a, (*gK.shape, a.shape[1]), a, w, gK, ga, gw)
    return ga, gw


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:2])


def _differentiate(ctx: Any, gK: Tensor) -> tuple[Tensor | None, ...]:
    return *_gradients(*ctx.saved_tensors, gK), None


_gradients = register(
    "vandermonde_backward(Tensor a, Tensor w, Tensor gK) -> (Tensor ga, Tensor gw)",
    backward,
    lambda a, w, gK: (like(a), like(w)),
)
vandermonde = register(
    "vandermonde(Tensor a, Tensor w, SymInt length) -> Tensor",
    forward,
    lambda a, w, length: a.new_empty(length, a.shape[0], dtype=a.dtype.to_real()),
    Gradient(_differentiate, _save),
)
