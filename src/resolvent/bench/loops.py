"""The recurrences as loops over time in PyTorch operations, all rows at once: what ops are held to.

Also what PyTorch offers in their place: convolution by FFT, attention.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from resolvent import discretize
from resolvent.kernels import diagonal_scan
from resolvent.kernels.long_convolution_ops import product
from resolvent.structure import Diagonal


def scan(a: Tensor, x: Tensor) -> Tensor:
    """h_t = a_t h_{t-1} + x_t."""
    h, states = torch.zeros_like(x[:, 0]), []
    for a_t, x_t in zip(a.expand_as(x).unbind(1), x.unbind(1), strict=True):
        h = a_t * h + x_t
        states.append(h)
    return torch.stack(states, 1)


def ssm(a: Tensor, b: Tensor, c: Tensor, u: Tensor) -> Tensor:
    """y_t = 2 Re(c h_t) of h_t = a h_{t-1} + b u_t."""
    h = torch.zeros(u.shape[0], *a.shape, dtype=a.dtype)
    y = []
    for u_t in u.unbind(1):
        h = a * h + b * u_t[..., None]
        y.append(2 * (c * h).sum(-1).real)
    return torch.stack(y, 1)


def mimo(a: Tensor, B: Tensor, C: Tensor, u: Tensor, d: Tensor) -> Tensor:
    """Y = C h + d u with two products of PyTorch and all states between them."""
    h, _ = diagonal_scan(a, torch.complex(*(u @ B.mT).chunk(2, -1)))
    return torch.cat((h.real, h.imag), -1) @ C.mT + d * u


def hold(values: Tensor, dt: Tensor) -> Tensor:
    """The zero-order hold as a rule over structures: both of its factors."""
    A, B = discretize.zoh(Diagonal(values), torch.ones_like(values)[..., None], dt)
    assert isinstance(A, Diagonal)
    return torch.cat([A.values, B[..., 0]])


def ssm_kernel(a: Tensor, b: Tensor, c: Tensor, length: int) -> Tensor:
    """The impulse response (l, m) by a Vandermonde product, as s4d.py has it."""
    powers = torch.exp(torch.log(a)[..., None] * torch.arange(length))
    return 2 * torch.einsum("mn,mnl->lm", b * c, powers).real


def fft_convolution(K: Tensor, u: Tensor) -> Tensor:
    """Causal convolution of u (b, l, m) with K (l, m) by the transforms of PyTorch."""
    return product(u, K.mT)


def selective(u: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
    """y_t = C_t h_t of h_t = exp(dt_t A) h_{t-1} + dt_t B_t u_t, one group of B and C."""
    h, y = u.new_zeros(u.shape[0], *A.shape), []
    for u_t, dt_t, B_t, C_t in zip(*(x.unbind(1) for x in (u, dt, B, C)), strict=True):
        h = torch.exp(dt_t[..., None] * A) * h + (dt_t * u_t)[..., None] * B_t
        y.append((C_t * h).sum(-1))
    return torch.stack(y, 1)


def matrix(*inputs: Tensor) -> Tensor:
    """A matrix state that decays and is written to, (a, k, v, q); by the delta rule with a beta."""
    a, k, v, *beta, q = inputs
    a = a[..., None] if a.dim() == 3 else a
    k, v = (x if beta else x[:, :, :, None] for x in (k, v))
    state = v.new_zeros(v.shape[0], v.shape[2], k.shape[-1], v.shape[-1])
    y = []
    for t in range(v.shape[1]):
        state = a[:, t, :, :, None] * state
        for j in range(v.shape[3]):
            key, value = k[:, t, :, j, :, None], v[:, t, :, j]
            if beta:
                value = beta[0][:, t, :, j, None] * (value - (key * state).sum(-2))
            state = state + key * value[..., None, :]
        y.append((q[:, t, :, :, None] * state).sum(-2))
    return torch.stack(y, 1)


def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal softmax attention."""
    return scaled_dot_product_attention(q, k, v, is_causal=True)
