"""Multiples of the identity: one decay for a whole head (SSD, linear attention, RetNet)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from resolvent.structure.base import Structure, exponential, phi1, resolvent
from resolvent.structure.diagonal import scalar_phi1


@final
@dataclass(frozen=True, eq=False)
class Scalar(Structure):
    """The matrix ``value * I`` with real ``value`` (...) and ``size`` states."""

    value: Tensor
    size: int

    @property
    def n(self) -> int:
        """Number of states."""
        return self.size

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of the value."""
        return self.value.dtype

    def apply(self, h: Tensor) -> Tensor:
        """Product with h (..., n, p)."""
        return self.value[..., None, None] * h

    def compose(self, earlier: Structure) -> Scalar:
        """Product of the two values."""
        if not isinstance(earlier, Scalar):
            raise TypeError(f"Scalar composes with Scalar, got {type(earlier).__name__}")
        return Scalar(self.value * earlier.value, self.size)

    def adjoint(self) -> Scalar:
        """A scalar matrix is symmetric."""
        return self

    def affine(self, scale: Tensor, shift: float) -> Scalar:
        """Value ``scale * value + shift``; scale (..., 1)."""
        return Scalar(scale[..., 0] * self.value + shift, self.size)

    def dense(self) -> Tensor:
        """Real (..., n, n)."""
        return torch.diag_embed(self.value[..., None].expand(*self.value.shape, self.size))


@exponential.register
def _(A: Scalar) -> Scalar:
    return Scalar(A.value.exp(), A.size)


@phi1.register
def _(A: Scalar) -> Scalar:
    return Scalar(scalar_phi1(A.value), A.size)


@resolvent.register
def _(A: Scalar, s: float) -> Scalar:
    return Scalar(1 / (s - A.value), A.size)
