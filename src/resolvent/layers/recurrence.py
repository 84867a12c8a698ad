"""One step of an invariant layer with everything computed beforehand, in real arithmetic.

What streams and what is exported: the discrete matrices are constants, no tensor is complex, and a
step is a handful of operations; of a complex diagonal system on a CPU, one call of a native kernel.
States are those of the layer itself, so a sequence may be read in parallel by the layer and
continued here.

Inside a step the state of a head is one vector of N real numbers; of a complex structure, the real
and imaginary parts in turn, as they lie in the layer's own state.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from resolvent.execute import can_fuse, fused_step
from resolvent.layers.base import Layer
from resolvent.layers.invariant import InvariantLayer
from resolvent.layers.state import State
from resolvent.structure import DPLR, Diagonal
from resolvent.system import Invariant


class Recurrence(nn.Module):
    """The step of a layer as a module of its own; later changes of the layer do not reach it.

    A step costs O(n) for diagonal systems, O(n r) for diagonal plus rank r, O(n^2) for others.

    Args:
        layer: a layer whose system does not depend on the input.

    Raises:
        TypeError: the layer's system varies, or it does more around its system than deal out
            features.
    """

    causal = True
    B: Tensor
    C: Tensor
    D: Tensor
    rates: Tensor
    reads: Tensor
    zero: Tensor

    @torch.no_grad()
    def __init__(self, layer: InvariantLayer):
        super().__init__()
        plain = isinstance(layer, InvariantLayer) and (
            type(layer).prepare is InvariantLayer.prepare and type(layer).finish is Layer.finish
        )
        if not plain:
            raise TypeError(
                f"layer: expected an invariant layer without extra projections, got "
                f"{type(layer).__name__}; stream it with its own step"
            )
        system = layer.system()
        assert isinstance(system, Invariant)
        if not system.mimo and system.D.shape[1] != 1:
            raise TypeError("layer: its heads share a system between channels; use its own step")
        self.d_model = layer.d_model
        self.mimo = system.mimo
        self.A = _transition(system)
        _, B, C, D = system.dense()
        order = _interleaved(system)
        B, C = B[..., order, :], C[..., order]
        if self.mimo:  # one matrix for all heads: (d_model, m N) and (m N, d_model)
            B, C, D = torch.block_diag(*B.mT), torch.block_diag(*C.mT), D.flatten()
        else:
            B, C = B[..., 0], C[..., 0, :]  # (m, N)
        _register(self, B=B, C=C, D=D)
        # what the kernels of a step take, if they know this system: pairs, and y = 2 Re(reads h)
        rates, reads = D.new_empty(0), C
        if isinstance(self.A, _Pairs):
            rates = self.A.rates().expand(system.D.shape[0], -1, -1).contiguous()
            reads = C if self.mimo else C * C.new_tensor([0.5, -0.5]).repeat(system.A.n)
        self.register_buffer("rates", rates, persistent=False)
        self.register_buffer("reads", reads, persistent=False)
        self.register_buffer("zero", layer.initial_state(1).h, persistent=False)
        self.sizes = tuple(self.zero.shape[1:]) if rates.numel() else None  # of a kernel's state

    def forward(
        self, u_t: Tensor, state: State, *, dt: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """One step: u_t (b, d_model) -> y_t (b, d_model) and the new state.

        Raises:
            ValueError: dt is given, but the step size has been built in.
        """
        if dt is not None:
            raise ValueError("dt: the step size is built in here; use the layer's own step instead")
        if self._fits_kernel(u_t, state.h):
            kept: Any = self._buffers  # as attributes they would take as long as the kernel
            system = kept["rates"], kept["B"], kept["reads"], kept["D"]
            y, h = fused_step(system, u_t, state.h, self.mimo)
            return y, State(h)
        h = state.h.flatten(2)
        if self.mimo:
            h = self.A(h, torch.mm(u_t, self.B).view_as(h))
            y = torch.addcmul(torch.mm(h.flatten(1), self.C), self.D, u_t)
        else:
            u = u_t[..., None]
            h = self.A(h, self.B * u)
            y = torch.addcmul((self.C * h).sum(-1), self.D[:, 0], u_t)
        return y, State(h.view_as(state.h))

    step = forward

    def _fits_kernel(self, u_t: Tensor, h: Tensor) -> bool:
        if torch.compiler.is_compiling() or self.sizes is None or u_t.ndim != 2:
            return False
        rows, d = u_t.shape
        kept: Any = self._buffers
        fits = d == self.d_model and h.shape == (rows, *self.sizes)
        return fits and can_fuse(kept["rates"], u_t, h)

    def initial_state(
        self,
        batch_size: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> State:
        """Zeros, shaped as the layer's."""
        zero = self.zero.to(device=device, dtype=dtype)
        return State(zero.repeat(batch_size, *[1] * (zero.ndim - 1)))


class _OneStep(nn.Module):
    """A recurrence called as the layer it stands for, on sequences of a single step."""

    def __init__(self, recurrence: Recurrence):
        super().__init__()
        self.recurrence = recurrence

    def forward(self, u: Tensor, state: State, **timing: None) -> tuple[Tensor, State]:
        if u.shape[1] != 1 or any(x is not None for x in timing.values()):
            raise ValueError("u: a frozen layer takes single steps, without dt, resets or lengths")
        y, state = self.recurrence(u[:, 0], state)
        return y[:, None], state

    def initial_state(self, *arguments: Any) -> State:
        return self.recurrence.initial_state(*arguments)


def frozen(layer: Any) -> nn.Module:
    """The layer for streams: every invariant layer that it is, or has inside, as a `Recurrence`.

    A copy, whose ``step`` and states are those of the layer.

    Raises:
        TypeError: as `Recurrence`.
    """
    if isinstance(layer, InvariantLayer):
        return Recurrence(layer)
    copy = deepcopy(layer)
    for name, child in copy.named_children():
        if isinstance(child, InvariantLayer):
            setattr(copy, name, _OneStep(Recurrence(child)))
    return copy


class _Pairs(nn.Module):
    """A h + x for a complex diagonal A: a (h, k) -> Re a (h, k) + Im a (-k, h) on each pair."""

    real: Tensor
    imag: Tensor
    swap: Tensor

    def __init__(self, a: Tensor):
        super().__init__()
        real = torch.stack([a.real, a.real], -1).flatten(-2)
        imag = torch.stack([-a.imag, a.imag], -1).flatten(-2)
        swap = torch.arange(real.shape[-1], device=a.device).view(-1, 2).flip(-1).flatten()
        _register(self, real=real, imag=imag, swap=swap)

    def forward(self, h: Tensor, x: Tensor) -> Tensor:
        swapped = h.index_select(-1, self.swap)
        return torch.addcmul(torch.addcmul(x, self.real, h), self.imag, swapped)

    def rates(self) -> Tensor:
        """The diagonal as pairs (..., n, 2) of real and imaginary parts."""
        return torch.stack([self.real[..., ::2], self.imag[..., 1::2]], -1)


class _PairsLowRank(nn.Module):
    """A h + x for A = diagonal - P Q*."""

    P: Tensor
    Q: Tensor

    def __init__(self, A: DPLR):
        super().__init__()
        self.diagonal = _Pairs(A.values)
        P, Q = (torch.view_as_real(x.mT.resolve_conj()).flatten(-2) for x in (A.P, A.Q))
        _register(self, P=-2 * P, Q=Q.mT)  # (m, r, N), (m, N, r)

    def forward(self, h: Tensor, x: Tensor) -> Tensor:
        low_rank = torch.bmm(torch.bmm(h.transpose(0, 1), self.Q), self.P)
        return self.diagonal(h, x + low_rank.transpose(0, 1))


class _Matrix(nn.Module):
    """A h + x for a real matrix A."""

    A: Tensor

    def __init__(self, A: Tensor):
        super().__init__()
        _register(self, A=A)

    def forward(self, h: Tensor, x: Tensor) -> Tensor:
        return x + (self.A @ h[..., None])[..., 0]


def _transition(system: Invariant) -> nn.Module:
    A = system.A
    if isinstance(A, Diagonal) and A.dtype.is_complex:
        return _Pairs(A.values)
    if isinstance(A, DPLR):
        return _PairsLowRank(A)
    order = _interleaved(system)
    return _Matrix(A.dense()[..., order, :][..., order])


def _interleaved(system: Invariant) -> Tensor:
    """Where each coordinate of a layer's state lies in the real form [Re h, Im h] of its system."""
    n = system.A.n
    order = torch.arange(2 * n if system.A.dtype.is_complex else n, device=system.D.device)
    return order.view(2, n).mT.flatten() if system.A.dtype.is_complex else order


def _register(module: nn.Module, **buffers: Tensor) -> None:
    for name, value in buffers.items():
        module.register_buffer(name, value.contiguous())
