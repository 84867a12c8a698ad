"""Full real matrices: LSSL, and the common ground every other structure can be taken to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from resolvent.structure.base import Structure, exponential, phi1, resolvent


@final
@dataclass(frozen=True, eq=False)
class Dense(Structure):
    """A real matrix ``values`` (..., n, n)."""

    values: Tensor

    @property
    def n(self) -> int:
        """Number of states."""
        return self.values.shape[-1]

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of the matrix."""
        return self.values.dtype

    def apply(self, h: Tensor) -> Tensor:
        """Product with h (..., n, p)."""
        return self.values @ h

    def compose(self, earlier: Structure) -> Dense:
        """Matrix product."""
        if not isinstance(earlier, Dense):
            raise TypeError(f"Dense composes with Dense, got {type(earlier).__name__}")
        return Dense(self.values @ earlier.values)

    def adjoint(self) -> Dense:
        """Transpose."""
        return Dense(self.values.mT)

    def affine(self, scale: Tensor, shift: float) -> Dense:
        """The matrix ``scale * A + shift * I``; scale (..., 1)."""
        return Dense(scale[..., None] * self.values + shift * self._eye())

    def dense(self) -> Tensor:
        """The matrix itself."""
        return self.values

    def _eye(self) -> Tensor:
        return torch.eye(self.n, dtype=self.dtype, device=self.values.device)


@exponential.register
def _(A: Dense) -> Dense:
    return Dense(_matrix_exp(A.values))


@phi1.register
def _(A: Dense) -> Dense:
    # phi1(A) is the corner of exp [[A, I], [0, 0]] (Van Loan 1978)
    eye = A._eye().expand_as(A.values)
    top = torch.cat([A.values, eye], -1)
    block = torch.cat([top, torch.zeros_like(top)], -2)
    return Dense(_matrix_exp(block)[..., : A.n, A.n :])


@resolvent.register
def _(A: Dense, s: float) -> Dense:
    return Dense(torch.linalg.inv(s * A._eye() - A.values))


def _matrix_exp(X: Tensor) -> Tensor:
    """Exponential in float64 whatever the dtype: squaring a large X costs digits, then range."""
    return torch.linalg.matrix_exp(X.double()).to(X.dtype)
