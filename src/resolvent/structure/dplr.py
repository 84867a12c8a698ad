"""Diagonal plus low rank, A = Lambda - P Q*, in conjugate halves (Gu et al. 2022, S4, section 3).

On halves the low-rank term reads a *real* vector: Q* h over the full space is 2 Re(Q^H h) over the
stored half. The resolvent is again diagonal plus low rank (Woodbury), hence so is the bilinear
transform; products raise the rank.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from resolvent.structure.base import Structure, exponential, phi1, resolvent, shifted_solve
from resolvent.structure.dense import Dense
from resolvent.structure.diagonal import Diagonal


@final
@dataclass(frozen=True, eq=False)
class DPLR(Structure):
    """The matrix diag(values) - P Q*; values (..., n), P and Q (..., n, r), all complex halves."""

    values: Tensor
    P: Tensor
    Q: Tensor

    closed: ClassVar[bool] = False
    why_not_closed: ClassVar[str] = (
        "the rank of a product of diagonal-plus-low-rank matrices grows with every factor"
    )

    @property
    def n(self) -> int:
        """Number of stored modes."""
        return self.values.shape[-1]

    @property
    def dtype(self) -> torch.dtype:
        """Complex dtype of the modes."""
        return self.values.dtype

    def apply(self, h: Tensor) -> Tensor:
        """Product with h (..., n, p)."""
        overlap = 2 * (self.Q.mH @ h).real
        return self.values[..., None] * h - self.P @ overlap.to(h.dtype)

    def adjoint(self) -> DPLR:
        """Conjugate diagonal, P and Q exchanged."""
        return DPLR(self.values.conj(), self.Q, self.P)

    def affine(self, scale: Tensor, shift: float) -> DPLR:
        """The matrix ``scale * A + shift * I``; scale real (..., 1)."""
        P = scale[..., None] * self.P
        return DPLR(scale * self.values + shift, P, self.Q.expand_as(P))

    def dense(self) -> Tensor:
        """Real (..., 2n, 2n)."""
        P = torch.cat([self.P.real, self.P.imag], -2)
        Q = torch.cat([self.Q.real, self.Q.imag], -2)
        return Diagonal(self.values).dense() - 2 * P @ Q.mT


@exponential.register
def _(A: DPLR) -> Dense:
    return exponential(Dense(A.dense()))


@phi1.register
def _(A: DPLR) -> Dense:
    return phi1(Dense(A.dense()))


@resolvent.register
def _(A: DPLR, s: float) -> DPLR:
    # Woodbury: (E + P Q*)^-1 = E^-1 - E^-1 P (I + Q* E^-1 P)^-1 Q* E^-1 with E = s - Lambda
    inverse = 1 / (s - A.values)
    EP = inverse[..., None] * A.P
    r = A.P.shape[-1]
    core = torch.eye(r, dtype=inverse.real.dtype, device=inverse.device) + 2 * (A.Q.mH @ EP).real
    EQ = inverse.conj()[..., None] * A.Q
    return DPLR(inverse, EP @ torch.linalg.inv(core).to(EP.dtype), EQ)


@shifted_solve.register
def _(A: DPLR, s: Tensor, v: Tensor) -> Tensor:
    # the same identity in real coordinates; its sums over modes are the Cauchy products of S4
    E = Diagonal(A.values)
    P, Q = (torch.cat([x.real, x.imag], -2) for x in (A.P, A.Q))
    Ev = shifted_solve(E, s, v)
    EP = torch.stack([shifted_solve(E, s, P[..., r]) for r in range(P.shape[-1])], -1)
    Qt = (2 * Q.mT)[..., None, :, :].to(EP.dtype)
    eye = torch.eye(P.shape[-1], dtype=EP.dtype, device=EP.device)
    overlap = torch.linalg.solve(eye + Qt @ EP, Qt @ Ev[..., None])
    return Ev - (EP @ overlap)[..., 0]
