"""Diagonal matrices, real or complex; the one home of conjugate halving.

A complex diagonal stores one eigenvalue of each conjugate pair (Gu et al. 2022, S4D, section 3.3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from resolvent.structure.base import Structure, exponential, phi1, resolvent, shifted_solve


@final
@dataclass(frozen=True, eq=False)
class Diagonal(Structure):
    """Diagonal matrix with entries ``values`` (..., n), real, or complex halves."""

    values: Tensor

    @property
    def n(self) -> int:
        """Number of stored states."""
        return self.values.shape[-1]

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of the entries."""
        return self.values.dtype

    def apply(self, h: Tensor) -> Tensor:
        """Product with h (..., n, p)."""
        return self.values[..., None] * h

    def compose(self, earlier: Structure) -> Diagonal:
        """Elementwise product."""
        if not isinstance(earlier, Diagonal):
            raise TypeError(f"Diagonal composes with Diagonal, got {type(earlier).__name__}")
        return Diagonal(self.values * earlier.values)

    def adjoint(self) -> Diagonal:
        """Conjugate entries."""
        return Diagonal(self.values.conj())

    def affine(self, scale: Tensor, shift: float) -> Diagonal:
        """Entries ``scale * values + shift``; scale (..., 1) or (..., n)."""
        return Diagonal(scale * self.values + shift)

    def dense(self) -> Tensor:
        """Real (..., n, n), or rotations [[a, -b], [b, a]] as (..., 2n, 2n)."""
        if not self.values.is_complex():
            return torch.diag_embed(self.values)
        a, b = torch.diag_embed(self.values.real), torch.diag_embed(self.values.imag)
        return torch.cat([torch.cat([a, -b], -1), torch.cat([b, a], -1)], -2)


@exponential.register
def _(A: Diagonal) -> Diagonal:
    return Diagonal(A.values.exp())


@phi1.register
def _(A: Diagonal) -> Diagonal:
    return Diagonal(scalar_phi1(A.values))


@resolvent.register
def _(A: Diagonal, s: float) -> Diagonal:
    return Diagonal(1 / (s - A.values))


@shifted_solve.register
def _(A: Diagonal, s: Tensor, v: Tensor) -> Tensor:
    s = s[:, None]
    if not A.dtype.is_complex:
        return v[..., None, :] / (s - A.values[..., None, :])
    # the pair (lambda, conj lambda) carries v_re + i v_im and its conjugate
    v_re, v_im = (x[..., None, :] for x in v.chunk(2, -1))
    upper = torch.complex(v_re, v_im) / (s - A.values[..., None, :])
    lower = torch.complex(v_re, -v_im) / (s - A.values.conj()[..., None, :])
    return torch.cat([(upper + lower) / 2, (upper - lower) / 2j], -1)


def scalar_phi1(z: Tensor) -> Tensor:
    """(e^z - 1)/z elementwise; its Taylor series near 0 keeps value and gradient accurate."""
    near = z.abs() < 0.1
    small = torch.where(near, z, torch.zeros_like(z))
    series = one = torch.ones_like(z)
    # terms whose next, 0.1^(k + 1) / (k + 2)!, is below the unit roundoff
    terms = 10 if z.dtype in (torch.float64, torch.complex128) else 5
    for k in range(terms, 0, -1):
        series = torch.addcmul(one, small, series, value=1 / (k + 1))
    large = torch.where(near, one, z)
    return torch.where(near, series, torch.expm1(large) / large)
