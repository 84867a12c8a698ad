"""Pseudospectra: where the resolvent is large, eigenvalues or not (Trefethen & Embree 2005).

The e-pseudospectrum of A is the set of s with ||(s I - A)^-1|| > 1/e: all eigenvalues of all A + E
with ||E|| < e. For a normal matrix it is the discs of radius e about the eigenvalues; where it is
far larger, eigenvalues say little, and a diagonal form costs as many digits.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from scipy.linalg import schur
from torch import Tensor

from resolvent.analysis.spectrum import Matrix, eigenvalues, least_singular_value, matrix

STEPS = 40
"""Most Lanczos steps before a point is handed to a singular value decomposition."""

TOLERANCE = 1e-6
"""Relative change of sigma_min below which a point has converged."""


@dataclass(frozen=True, eq=False)
class Pseudospectrum:
    """Least singular values of s I - A over a rectangle of the complex plane.

    Attributes:
        real: (x,) real parts of the grid.
        imag: (y,) imaginary parts of the grid.
        sigma_min: (y, x) least singular values, 1 / ||(s I - A)^-1||.
        eigenvalues: (n,) complex, as computed.
        floor: rounding unit times ||A||: smaller values of sigma_min are rounding errors.
    """

    real: Tensor
    imag: Tensor
    sigma_min: Tensor
    eigenvalues: Tensor
    floor: float


def pseudospectrum(
    A: Matrix, grid: tuple[Tensor, Tensor] | None = None, points: int = 81
) -> Pseudospectrum:
    """Pseudospectra of one matrix, from a single Schur form T.

    Every point of the grid runs an inverse Lanczos iteration whose triangular solves with s I - T
    share T, so that all points cost a few hundred products with T together (Trefethen & Embree,
    section 39). A point that does not settle within STEPS steps gets a decomposition of its own.

    Args:
        A: one matrix (n, n), or a structure that holds one.
        grid: real parts (x,) and imaginary parts (y,); by default a window around the eigenvalues.
        points: points a side of that window.

    Raises:
        ValueError: A holds several matrices.
    """
    M = matrix(A).detach()
    if M[..., 0, 0].numel() != 1:
        raise ValueError(
            f"A: expected one matrix, got leading axes {tuple(M.shape[:-2])}; pick one, "
            "A.map(lambda x: x[0])"
        )
    M = M.reshape(M.shape[-2:])
    spectrum = eigenvalues(A).detach().reshape(-1)
    real, imag = grid if grid is not None else window(spectrum, points)
    real, imag = real.double(), imag.double()
    s = torch.complex(real[None, :].expand(len(imag), -1), imag[:, None].expand(-1, len(real)))
    T = schur(M.cpu().numpy(), output="complex")[0]
    floor = torch.finfo(torch.float64).eps * float(torch.linalg.matrix_norm(M, 2))
    sigma = _inverse_lanczos(torch.from_numpy(T).to(s), s.reshape(-1), floor)
    return Pseudospectrum(real, imag, sigma.view(s.shape), spectrum, floor)


def window(spectrum: Tensor, points: int = 81, margin: float = 0.35) -> tuple[Tensor, Tensor]:
    """Axes (points,), (points,) of a rectangle around eigenvalues (n,), symmetric about the reals.

    The margin on every side is `margin` times the larger extent of the spectrum.
    """
    x, y = spectrum.real, spectrum.imag.abs().max()
    extent = max(float(x.max() - x.min()), 2 * float(y))
    pad = margin * (extent if extent > 0 else max(1.0, float(spectrum.abs().max())))
    real = torch.linspace(float(x.min()) - pad, float(x.max()) + pad, points, dtype=torch.float64)
    half = float(y) + pad
    return real, torch.linspace(-half, half, points, dtype=torch.float64)


def _inverse_lanczos(T: Tensor, s: Tensor, floor: float) -> Tensor:
    """Least singular values of s I - T for upper triangular T, all points s (f,) at once.

    A point is done when its value settles, or is below the floor and thus a rounding error.
    """
    n, eps = len(T), torch.finfo(torch.float64).eps
    sigma, done = s.new_zeros(len(s), dtype=torch.float64), torch.zeros_like(s, dtype=torch.bool)
    H = sigma.new_zeros(len(s), STEPS + 1, STEPS + 1)
    generator = torch.Generator().manual_seed(0)
    q = torch.randn(n, 1, dtype=T.dtype, generator=generator).to(T.device).expand(n, len(s))
    q, before, beta = q / q.norm(dim=0), torch.zeros_like(q), torch.zeros_like(sigma)
    at = torch.arange(len(s), device=s.device)  # the points still at work
    for k in range(STEPS):
        v = _solve(T, s[at], _solve_adjoint(T, s[at], q)) - beta * before
        alpha = (q.conj() * v).sum(0).real
        v = v - alpha * q
        beta = v.norm(dim=0)
        H[:, k, k], H[:, k, k + 1], H[:, k + 1, k] = alpha, beta, beta
        sound = torch.isfinite(alpha) & torch.isfinite(beta)
        ritz = torch.linalg.eigvalsh(H[:, : k + 1, : k + 1] * sound[:, None, None])[:, -1]
        estimate = ritz.rsqrt()
        settled = (estimate - sigma[at]).abs() <= TOLERANCE * estimate
        exact = beta <= n * eps * ritz  # the Krylov space is invariant
        settled = sound & (settled | exact | (estimate < floor))
        sigma[at], done[at] = estimate, settled
        left = sound & ~settled
        q, before, beta, H, at = (v / beta)[:, left], q[:, left], beta[left], H[left], at[left]
        if not len(at):
            break
    sigma[~done] = least_singular_value(T, s[~done])
    return sigma


def _solve(T: Tensor, s: Tensor, v: Tensor) -> Tensor:
    """Solutions x of (s_j I - T) x_j = v_j for every column j, T upper triangular."""
    x = torch.empty_like(v)
    for i in reversed(range(len(T))):
        x[i] = (v[i] + T[i, i + 1 :] @ x[i + 1 :]) / _gap(T, s, i)
    return x


def _solve_adjoint(T: Tensor, s: Tensor, v: Tensor) -> Tensor:
    """Solutions x of (s_j I - T)^H x_j = v_j for every column j, T upper triangular."""
    x = torch.empty_like(v)
    for i in range(len(T)):
        x[i] = (v[i] + T[:i, i].conj() @ x[:i]) / _gap(T, s, i).conj()
    return x


def _gap(T: Tensor, s: Tensor, i: int) -> Tensor:
    """The difference s - T_ii, moved off zero by a rounding error."""
    gap = s - T[i, i]
    return torch.where(gap == 0, torch.finfo(torch.float64).eps * (1 + s.abs()), gap)
