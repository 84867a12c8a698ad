"""Eigenvalues, and how far they can be trusted: condition of eigenvectors, norm of the resolvent.

Every function takes a structure with leading axes (...), most often heads, or plain square matrices
(..., n, n), real or complex, as a tensor or a NumPy array.
"""

from __future__ import annotations

import torch
from torch import Tensor

from resolvent.analysis.frequency import BUDGET
from resolvent.analysis.precise import double
from resolvent.structure import Diagonal, Scalar, Structure

Matrix = Structure | Tensor


def eigenvalues(A: Matrix) -> Tensor:
    """All eigenvalues (..., N) in complex128: of conjugate halves, both."""
    if isinstance(A, Diagonal):
        values = A.values.to(torch.complex128)
        return torch.cat([values, values.conj()], -1) if A.dtype.is_complex else values
    if isinstance(A, Scalar):
        return A.value.to(torch.complex128)[..., None].expand(*A.value.shape, A.n)
    return torch.linalg.eigvals(matrix(A))


def spectral_abscissa(A: Matrix) -> Tensor:
    """Largest real part of an eigenvalue (...): h' = A h decays if it is negative."""
    return eigenvalues(A).real.amax(-1)


def spectral_radius(A: Matrix) -> Tensor:
    """Largest modulus of an eigenvalue (...): h_t = A h_{t-1} decays if it is below 1."""
    return eigenvalues(A).abs().amax(-1)


def eigenvector_condition(A: Matrix) -> Tensor:
    """Condition number (...) of the matrix of eigenvectors of unit length, in the 2-norm.

    A perturbation of size e moves eigenvalues by at most this number times e (Bauer & Fike 1960).
    1 for normal matrices, which diagonal ones are; for a defective matrix 1e16 or more, or inf.
    """
    if isinstance(A, Diagonal | Scalar):
        return torch.ones_like(eigenvalues(A)[..., 0].real)
    return torch.linalg.cond(torch.linalg.eig(matrix(A)).eigenvectors)


def resolvent_norm(A: Matrix, s: Tensor | complex) -> Tensor:
    """2-norm of the resolvent (s I - A)^-1, the inverse of the least singular value of s I - A.

    Args:
        A: matrices with leading axes (...).
        s: points of the complex plane, of any shape.

    Returns:
        Float64, the shape of s behind the leading axes; inf at an eigenvalue.
    """
    spectrum = eigenvalues(A) if isinstance(A, Diagonal | Scalar) else None
    M = matrix(A) if spectrum is None else spectrum
    points = torch.as_tensor(s, dtype=torch.complex128, device=M.device)
    flat = points.reshape(-1)
    if spectrum is not None:
        distance = (flat[:, None] - spectrum[..., None, :]).abs().amin(-1)
    else:
        size = max(1, BUDGET // M.numel())
        distance = torch.cat([least_singular_value(M, part) for part in flat.split(size)], -1)
    return 1 / distance.reshape(distance.shape[:-1] + points.shape)


def least_singular_value(M: Tensor, s: Tensor) -> Tensor:
    """Least singular values (..., f) of s I - M, a decomposition each: M (..., n, n), s (f,)."""
    eye = torch.eye(M.shape[-1], dtype=torch.complex128, device=M.device)
    return torch.linalg.svdvals(s[:, None, None] * eye - M[..., None, :, :])[..., -1]


def matrix(A: Matrix) -> Tensor:
    """The matrices (..., n, n) in float64 or complex128; real for a structure.

    Raises:
        ValueError: they are not square.
    """
    M = double(A.dense() if isinstance(A, Structure) else torch.as_tensor(A))
    if M.ndim < 2 or M.shape[-1] != M.shape[-2]:
        raise ValueError(f"A: expected square matrices (..., n, n), got shape {tuple(M.shape)}")
    return M
