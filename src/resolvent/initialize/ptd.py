"""Perturb-then-diagonalise: HiPPO-LegS made diagonal with a uniform error bound."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from resolvent.initialize import hippo, modes


def dissipative(n: int, theta: float = 0.1) -> SimpleNamespace:
    """The system A + theta P Pᵀ, (1 - theta/2) B in eigen-coordinates, as `.modes`."""
    system = hippo.legs(n)
    A = system.A + theta * system.P @ system.P.T
    eigenvalues, eigenvectors = np.linalg.eig(A)
    halves = modes.conjugate_halves(eigenvalues, eigenvectors, (1 - theta / 2) * system.B)
    return SimpleNamespace(modes=halves)
