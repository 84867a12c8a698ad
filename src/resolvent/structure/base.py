"""What every structure of the state matrix A promises.

A structure is a value: tensors that stand for a square matrix (..., n, n), with leading axes that
broadcast (heads, or batch and time). States are (..., n, p): A acts on n, the p columns ride along.

Complex structures store one of each conjugate pair. The real system they stand for has 2n states
[Re h, Im h]; ``dense`` returns that real matrix, and ``adjoint`` is taken in its inner product
Re(x* y), so that every identity about a structure is an identity about a real matrix.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import fields
from functools import update_wrapper
from typing import Any, ClassVar, Self, get_type_hints

import torch
from torch import Tensor


class Structure(ABC):
    """A square matrix (..., n, n) stored as its structure allows; a frozen dataclass.

    ``closed`` says whether products stay in the structure (then scans are legal);
    ``why_not_closed`` is the sentence a refused product raises.
    """

    closed: ClassVar[bool] = True
    why_not_closed: ClassVar[str] = ""

    @property
    @abstractmethod
    def n(self) -> int:
        """Number of stored states (modes, for a complex structure)."""

    @property
    @abstractmethod
    def dtype(self) -> torch.dtype:
        """Dtype of the stored state: complex means conjugate halves."""

    @abstractmethod
    def apply(self, h: Tensor) -> Tensor:
        """Product A h for h (..., n, p)."""

    @abstractmethod
    def adjoint(self) -> Structure:
        """The transposed real map: Re(x* A y) = Re((A^T x)* y)."""

    @abstractmethod
    def affine(self, scale: Tensor, shift: float) -> Structure:
        """The matrix ``scale * A + shift * I``; scale (..., 1), or (..., n) where A is diagonal."""

    @abstractmethod
    def dense(self) -> Tensor:
        """The real matrix (..., N, N), N = n, or 2n acting on [Re h, Im h] if complex."""

    def compose(self, earlier: Structure) -> Structure:
        """The product A @ earlier, in the same structure.

        Raises:
            TypeError: the structure is not closed under products.
        """
        raise TypeError(f"{type(self).__name__} matrices do not compose: {self.why_not_closed}")

    def map(self, f: Callable[[Tensor], Tensor]) -> Self:
        """The structure with ``f`` applied to every stored tensor (slicing, moving, casting)."""
        values = {x.name: getattr(self, x.name) for x in fields(self)}  # type: ignore[arg-type]
        return type(self)(**{k: f(v) if isinstance(v, Tensor) else v for k, v in values.items()})


class generic:
    """A function with a body of its own for each structure, chosen by the type of ``A``.

    As `functools.singledispatch`, whose cache of abstract classes torch.compile cannot trace.
    """

    def __init__(self, default: Callable[..., Any]):
        self.default = default
        self.bodies: dict[type, Callable[..., Any]] = {}
        update_wrapper(self, default)

    def register(self, body: Callable[..., Any]) -> Callable[..., Any]:
        """Add the body for the type that annotates its argument ``A``."""
        self.bodies[get_type_hints(body)["A"]] = body
        return body

    def __call__(self, A: Structure, *args: Any) -> Any:
        """Run the body of A's type."""
        return self.bodies.get(type(A), self.default)(A, *args)


@generic
def exponential(A: Structure) -> Structure:
    """Matrix exponential e^A."""
    raise TypeError(f"exponential is not defined for {type(A).__name__}")


@generic
def phi1(A: Structure) -> Structure:
    """phi1(A) = A^-1 (e^A - I), with its limit I at A = 0 (Hochbruck & Ostermann 2010)."""
    raise TypeError(f"phi1 is not defined for {type(A).__name__}")


@generic
def resolvent(A: Structure, s: float) -> Structure:
    """The resolvent (s I - A)^-1 at a real point s, as a structure."""
    raise TypeError(f"resolvent is not defined for {type(A).__name__}")


@generic
def shifted_solve(A: Structure, s: Tensor, v: Tensor) -> Tensor:
    """Solution x of (s I - A) x = v at complex points s.

    Args:
        A: structure with leading axes (...).
        s: points (f,).
        v: *real* vectors in the coordinates of :func:`to_real`, (..., N).

    Returns:
        x (..., f, N), complex, in real coordinates: what a transfer function contracts with C.
    """
    matrix = A.dense().to(s.dtype)
    eye = torch.eye(matrix.shape[-1], dtype=s.dtype, device=s.device)
    M = s[:, None, None] * eye - matrix[..., None, :, :]
    return torch.linalg.solve(M, v.to(s.dtype)[..., None, :, None])[..., 0]


def to_real(v: Tensor, dim: int) -> Tensor:
    """Coordinates [Re v, Im v] along ``dim`` of a stored vector; a real one is returned as is."""
    return torch.cat([v.real, v.imag], dim) if v.is_complex() else v


def from_real(v: Tensor, dim: int, dtype: torch.dtype) -> Tensor:
    """Inverse of :func:`to_real` for a structure whose stored dtype is ``dtype``."""
    return torch.complex(*v.chunk(2, dim)) if dtype.is_complex else v


def functional_to_real(c: Tensor, dim: int) -> Tensor:
    """Row vector of the real functional h -> 2 Re(c h) (or c h) in the coordinates of to_real."""
    return torch.cat([2 * c.real, -2 * c.imag], dim) if c.is_complex() else c
