"""One step of an invariant layer with everything computed beforehand, in real arithmetic.

What streams and what is exported: the discrete matrices are constants, no tensor is complex, and a
step is a handful of operations. States are those of the layer itself, so a sequence may be read in
parallel by the layer and continued here.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from resolvent.layers.base import Layer
from resolvent.layers.invariant import InvariantLayer
from resolvent.layers.state import State
from resolvent.structure import Diagonal
from resolvent.system import Invariant


class Recurrence(nn.Module):
    """The step of a layer as a module of its own; later changes of the layer do not reach it.

    Args:
        layer: a layer whose system does not depend on the input.

    Raises:
        TypeError: the layer's system varies, or it does more around its system than deal out
            features.
    """

    causal = True

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
        self.d_model = layer.d_model
        with torch.no_grad():
            system = layer.system()
            assert isinstance(system, Invariant)
            pairs = isinstance(system.A, Diagonal) and system.A.dtype.is_complex
            self.core = Pairs(system) if pairs else Matrices(system)
            self.register_buffer("zero", layer.initial_state(1).h, persistent=False)
        self.heads = tuple(system.D.shape)

    def forward(
        self, u_t: Tensor, state: State, *, dt: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """One step: u_t (b, d_model) -> y_t (b, d_model) and the new state.

        Raises:
            ValueError: dt is given, but the step size has been built in.
        """
        if dt is not None:
            raise ValueError("dt: the step size is built in here; use the layer's own step instead")
        y, h = self.core(u_t.unflatten(-1, self.heads), state.h)
        return y.flatten(1), State(h)

    step = forward

    def initial_state(
        self,
        batch_size: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> State:
        """Zeros, shaped as the layer's."""
        zero: Tensor = self.zero  # type: ignore[assignment]
        return State(zero.to(device=device, dtype=dtype).repeat(batch_size, *[1] * (zero.ndim - 1)))


class Pairs(nn.Module):
    """Complex diagonal system in pairs (real part, imaginary part): O(n) a step."""

    def __init__(self, system: Invariant):
        super().__init__()
        self.mimo = system.mimo
        a = system.A.values[..., None, None]  # type: ignore[attr-defined]
        C = torch.stack([2 * system.C.real, -2 * system.C.imag], -1)
        B = torch.view_as_real(system.B.resolve_conj())
        if self.mimo:
            B = B.movedim(-2, 1).flatten(2)  # (m, p, 2n)
            C = C.movedim(1, -1).flatten(1, 2)  # (m, 2n, q)
        else:
            B, C = B[..., None, :], C[..., None, :]  # (m, n, 1, 2)
        # (x, y) -> a (x + iy) is  Re a (x, y) + Im a (-y, x)
        for name, x in (
            ("real", a.real),
            ("imag", torch.cat([-a.imag, a.imag], -1)),
            ("B", B),
            ("C", C),
            ("D", system.D),
        ):
            self.register_buffer(name, x.contiguous())

    def forward(self, u: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """One step: u (b, m, p), h (b, m, n, p or 1, 2) -> y (b, m, q), new h."""
        if self.mimo:
            x = torch.bmm(u.transpose(0, 1), self.B).transpose(0, 1).reshape(h.shape)
        else:
            x = self.B * u[:, :, None, :, None]
        h = torch.addcmul(torch.addcmul(x, self.real, h), self.imag, h.flip(-1))
        if self.mimo:
            y = torch.bmm(h.flatten(2).transpose(0, 1), self.C).transpose(0, 1)
        else:
            y = (self.C * h).sum((2, 4))
        return torch.addcmul(y, self.D, u), h


class Matrices(nn.Module):
    """Any other system as real matrices: O(n^2) a step."""

    def __init__(self, system: Invariant):
        super().__init__()
        A, B, C, D = system.dense()
        self.pairs = system.A.dtype.is_complex
        self.mimo = system.mimo
        for name, x in (("A", A), ("B", B), ("C", C), ("D", D)):
            self.register_buffer(name, x.contiguous())

    def forward(self, u: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """One step: u (b, m, p), h (b, m, n, p or 1) or (..., 2) -> y (b, m, q), new h."""
        x = torch.cat(h.unbind(-1), 2) if self.pairs else h
        v = u[..., None] if self.mimo else u[:, :, None, :]
        x = self.A @ x + self.B @ v
        y = self.C @ x
        y = torch.addcmul(y[..., 0] if self.mimo else y[:, :, 0], self.D, u)
        return y, torch.stack(x.chunk(2, 2), -1) if self.pairs else x
