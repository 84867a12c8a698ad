"""The optimiser behind `ptd.optimised`: a minimax descent over real diagonalisable systems."""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import Bounds, minimize
from torch import Tensor

from resolvent.initialize._arguments import Complex, Real
from resolvent.initialize.modes import Modes, complete, state_transfer

# Each stage smooths the maximum less: log-sum-exp misses it by log(number of terms) / sharpness.
SHARPNESS = (20.0, 60.0, 200.0, 600.0)
REFUSED = 1e3  # the loss of a trial that is no system; the start has about 0


def descend(
    start: Modes,
    A: Real,
    frequencies: Real,
    target: Complex,
    margin: float,
    steps: int,
) -> Modes:
    """Move a diagonalisable system so that the largest of five measures falls.

    The measures, each relative to its value at the start: condition of the eigenvectors, spectral
    norm of the perturbation of A, and the largest error of the transfer function to the state, in
    its first entry, in norm, and in norm relative to the target's. Unknown are eigenvectors, modal
    inputs and eigenvalues; a real mode stays real. Real parts are -margin - exp(x): stability
    needs no penalty. L-BFGS in float64 with an ever sharper smooth maximum; deterministic.

    Args:
        start: the system to start from, n states, real parts below -margin.
        A: (n, n) the matrix perturbed.
        frequencies: (f,) at which errors are measured.
        target: (f, n) the transfer function to approach there.
        margin: every eigenvalue keeps a real part below -margin.
        steps: L-BFGS iterations in each stage.
    """
    unknowns, measures = _Unknowns(start, margin), _Measures(start, A, frequencies, target)
    with torch.no_grad():
        base = measures(*unknowns.system(torch.zeros(unknowns.size, dtype=torch.float64)))
        scales = [values.max() for values in base]

    def objective(x: Real, sharpness: float) -> tuple[float, Real]:
        point = torch.from_numpy(x.copy()).requires_grad_()
        try:
            found = measures(*unknowns.system(point))
        except torch.linalg.LinAlgError:  # a trial step to a singular basis
            return REFUSED, np.zeros_like(x)
        ratios = torch.cat(
            [(m / scale).log().reshape(-1) for m, scale in zip(found, scales, strict=True)]
        )
        loss = torch.logsumexp(sharpness * ratios, 0) / sharpness
        (gradient,) = torch.autograd.grad(loss, point)
        if not torch.isfinite(gradient).all():
            return REFUSED, np.zeros_like(x)
        return loss.item(), gradient.numpy()

    x, box = np.zeros(unknowns.size), Bounds(-0.5, 0.5)
    for sharpness in SHARPNESS:
        options = {"maxiter": steps, "maxcor": 30, "maxls": 50}
        x = minimize(objective, x, (sharpness,), "L-BFGS-B", True, bounds=box, options=options).x
    with torch.no_grad():
        eigenvalues, V, B = (part.numpy() for part in unknowns.system(torch.from_numpy(x)))
    return complete(eigenvalues, V, 2 * np.real(V @ B))


class _Measures:
    """The five measures of a system, as tensors of any shape whose maximum counts."""

    def __init__(
        self,
        start: Modes,
        A: Real,
        frequencies: Real,
        target: Complex,
    ) -> None:
        self.complex = torch.from_numpy(~start.real)
        self.A, self.s = torch.from_numpy(A), torch.from_numpy(1j * frequencies)
        self.target = torch.from_numpy(target)
        self.size = torch.linalg.vector_norm(self.target, dim=1)

    def __call__(self, eigenvalues: Tensor, V: Tensor, B: Tensor) -> list[Tensor]:
        columns, images = self._real(V), self._real(V * eigenvalues)
        E = torch.linalg.solve(columns, images, left=False) - self.A
        # A pair (v, conj v) is sqrt(2) (Re v, Im v) turned by a unitary matrix.
        weights = (1.0 + self.complex.double()).sqrt()
        singular = torch.linalg.svdvals(self._real(V * weights))
        error = state_transfer(eigenvalues, V, B, self.s) - self.target
        distance = torch.linalg.vector_norm(error, dim=1)
        return [
            singular[:, None] / singular,  # all, not the extremes: smooth where these coincide
            torch.linalg.svdvals(E),
            error[:, 0].abs(),
            distance,
            distance / self.size,
        ]

    def _real(self, V: Tensor) -> Tensor:
        """(n, n) real and imaginary parts of (n, k) vectors, no imaginary part for real modes."""
        return torch.cat([V.real, V.imag[:, self.complex]], dim=1)


class _Unknowns:
    """A flat vector of real unknowns, all 0 at the start, for the modes of a system."""

    def __init__(self, start: Modes, margin: float) -> None:
        columns = np.concatenate([start.V.real, start.V.imag[:, ~start.real]], axis=1)
        self.margin = margin
        self.columns, self.V = torch.from_numpy(columns), torch.from_numpy(start.V)
        self.B, self.eigenvalues = torch.from_numpy(start.B), torch.from_numpy(start.eigenvalues)
        self.turns = torch.from_numpy((~start.real).astype(float))
        n, k = start.size, start.count
        self.shapes = [(n, k), (n, k), (k,), (k,), (k,), (k,)]
        self.sizes = [int(np.prod(shape)) for shape in self.shapes]
        self.size = sum(self.sizes)

    def system(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Eigenvalues (k,), unit eigenvectors V (n, k) and modal inputs B (k,)."""
        parts = zip(x.split(self.sizes), self.shapes, strict=True)
        re, im, size, phase, damping, pitch = (part.reshape(shape) for part, shape in parts)
        V = self.V + torch.complex(self.columns @ re, self.columns @ im * self.turns)
        V = V / torch.linalg.vector_norm(V, dim=0)
        B = self.B * torch.exp(torch.complex(size, phase * self.turns))
        damped = (-self.eigenvalues.real - self.margin) * damping.exp()
        eigenvalues = torch.complex(-self.margin - damped, self.eigenvalues.imag * pitch.exp())
        return eigenvalues, V, B
