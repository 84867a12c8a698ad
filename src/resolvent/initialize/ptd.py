"""Perturb-then-diagonalise: HiPPO-LegS made diagonal with a uniform error bound.

LegS has the kernels we want but no stable diagonal form: its eigenvectors are conditioned like
e^n. Dropping its low-rank term (S4D-LegS) gives a normal matrix, but a transfer function that
misses LegS's by more than any bound at its eigenfrequencies. PTD (Yu, Nigmetov, Morozov, Mahoney,
Erichson 2024) diagonalises A + E for a small E instead. Two ways to choose E:

`dissipative`: E = theta P Pᵀ with B scaled by 1 - theta/2. Everything is closed form. With
r = theta / (2 - theta) and the all-pass b(s) = prod_{j=1..n} (s - j + 1) / (s + j),

    G_theta(s) = G(s) / (1 + r b(s))        for every readout C,
    |b(i w)| = |w| / sqrt(w² + n²) < 1      so |G_theta - G| <= theta / (2 (1 - theta)) |G|,
    A_theta + A_thetaᵀ = -I - 2 (1 - theta) P Pᵀ      so Re(eigenvalues) <= -1/2,

and the condition of the eigenvectors tends to 1/r. theta = 1 is S4D-LegS, theta -> 0 is LegS. The
proofs are in docs/theory/ptd.md; the family is this library's, the paper has no closed form.

`optimised`: a free E that starts there and lowers condition, size of E and transfer errors
together, stable by construction. (The paper's objective, condition plus size of E, has no
stability term and leaves unstable modes at n = 64 and 128.)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from resolvent.initialize import hippo
from resolvent.initialize._arguments import Complex, Real, check_real, check_size
from resolvent.initialize.modes import Modes, complete


@dataclass(frozen=True, eq=False)
class Perturbed:
    """A diagonalised perturbation of HiPPO-LegS, and how far it is from LegS.

    Errors compare the transfer functions G(s) = C (s - A)^{-1} B of LegS and G~ of `modes` on the
    imaginary axis s = i w; the suprema are over all real w, found on a grid of 16 points between
    neighbouring eigenfrequencies and refined around the highest peaks. They are computed when
    first asked for, in O(n³).

    Attributes:
        method: "dissipative", or "optimised" if the search found a better system than that.
        theta: the member of the dissipative family that this is, or (optimised) that has the same
            condition.
        modes: the system itself, one of each conjugate pair; its input is (1 - theta/2) B for the
            dissipative family and free for the optimised.
        perturbation: (n, n) real E: the eigen-decomposition is that of A + E.
    """

    method: Literal["dissipative", "optimised"]
    theta: float
    modes: Modes
    perturbation: Real

    @property
    def eigenvalues(self) -> Complex:
        """(n,) all eigenvalues: those of `modes`, then the conjugates of the complex ones."""
        modes = self.modes
        return np.concatenate([modes.eigenvalues, modes.eigenvalues[~modes.real].conj()])

    @property
    def eigenvectors(self) -> Complex:
        """(n, n) eigenvectors of unit length, in the order of `eigenvalues`."""
        modes = self.modes
        return np.concatenate([modes.V, modes.V[:, ~modes.real].conj()], axis=1)

    @property
    def spectral_abscissa(self) -> float:
        """Largest real part of an eigenvalue, at most -1/2."""
        return float(self.eigenvalues.real.max())

    @property
    def bound(self) -> float:
        """What `relative_error` cannot exceed: theta / (2 (1 - theta)), infinite for theta = 1."""
        return self.theta / (2 * (1 - self.theta)) if self.theta < 1 else np.inf

    @cached_property
    def condition(self) -> float:
        """Spectral condition number of `eigenvectors`."""
        return float(np.linalg.cond(self.eigenvectors))

    @cached_property
    def perturbation_norm(self) -> float:
        """Spectral norm of E."""
        return float(np.linalg.norm(self.perturbation, 2))

    @property
    def sup_error(self) -> float:
        """Sup over w of |G~ - G| for C = e_0, where G = 1/(s+1), as the literature reports it."""
        return float(self._suprema[0])

    @property
    def worst_error(self) -> float:
        """Sup over w and over all C of unit length of |G~ - G|.

        That is the largest Euclidean norm of the difference of the transfer functions to the state.
        """
        return float(self._suprema[1])

    @property
    def relative_error(self) -> float:
        """Sup over w of the norm of that difference relative to the norm of LegS's.

        In the dissipative family the two vectors are parallel: this is sup |G~ - G| / |G| for
        every C.
        """
        return float(self._suprema[2])

    @cached_property
    def _suprema(self) -> Real:
        return _suprema(self.modes)


def dissipative(n: int, theta: float = 0.1) -> Perturbed:
    """The closed-form family A + theta P Pᵀ, (1 - theta/2) B between LegS and S4D-LegS.

    Small theta is close to LegS with badly conditioned eigenvectors, large theta the reverse:
    relative error at most theta / (2 (1 - theta)), condition about (2 - theta) / theta.

    Args:
        n: number of states, at least 1.
        theta: in (0, 1]. theta = 0 is LegS itself, which has no stable diagonal form; below about
            1e-6 (1e-8 for the smallest n) double precision cannot keep the bound.

    Raises:
        TypeError, ValueError: if n is not a whole number of at least 1, or theta outside (0, 1] or
            too small in that sense.
    """
    n, theta = check_size(n), check_real(theta, "theta", 1e-8, 1.0, closed="lh")
    system, modes = hippo.legs(n), _family(n, theta)
    result = Perturbed("dissipative", theta, modes, theta * system.P @ system.P.T)
    error = _errors(modes, modes.eigenvalues.imag)[2].max()
    if not error <= result.bound * (1 + 1e-3):
        raise ValueError(
            f"theta = {theta} is too small for n = {n}: with eigenvectors conditioned like "
            f"{2 / theta:.0e}, double precision leaves a relative error of {error:.1e} where "
            f"{result.bound:.1e} is guaranteed; take a larger theta"
        )
    return result


def optimised(n: int, theta: float = 0.1, steps: int = 100) -> Perturbed:
    """A free perturbation that beats the dissipative family at equal condition.

    Starts at `dissipative(n, theta)` and lowers the largest of five ratios to its values there:
    condition, |E|, sup_error, worst_error, relative_error. The result is then held against the
    member of the dissipative family with the same condition (or, if several, with the least
    theta): only if it is at least as good in every error and in |E| is it returned; otherwise that
    member is, and `method` says so. Deterministic. Takes a few seconds for n = 64 and grows
    as n³.

    Args:
        n: number of states, at least 1.
        theta: where to start, in (0, 1]: which trade of error for condition is wanted.
        steps: iterations of the optimiser in each of its four stages.

    Raises:
        TypeError, ValueError: if n or steps is not a whole number of at least 1, or theta is
            refused by `dissipative`.
    """
    from resolvent.initialize._search import descend  # the only use of torch here: load it late

    start, steps = dissipative(n, theta), check_size(steps, "steps")
    A, w = hippo.legs(n).A, _frequencies(start.modes, density=8)
    found = descend(start.modes, A, w, transfer(n, 1j * w), margin=0.5, steps=steps)
    result = Perturbed("optimised", 1.0, found, found.matrix() - A)
    rival = dissipative(n, _theta_of_condition(n, result.condition, min(theta, 1e-4)))
    better = all(
        getattr(result, name) <= getattr(rival, name)
        for name in ("perturbation_norm", "sup_error", "worst_error", "relative_error")
    )
    return replace(result, theta=rival.theta) if better else rival


def all_pass(n: int, s: ArrayLike) -> Complex:
    """The all-pass b(s) = prod_{j=1..n} (s - j + 1) / (s + j) at points (...)."""
    return _sections(n, np.asarray(s, np.complex128))[..., -1]


def transfer(n: int, s: ArrayLike) -> Complex:
    """LegS's transfer function to its state, (s - A)^{-1} B, at points (...): shape (..., n).

    State m: sqrt(2m+1) / (s+m+1) times the product over j = 1..m of (s-j+1) / (s+j), the Laplace
    transform of the warped Legendre polynomial.
    """
    points, order = np.asarray(s, np.complex128), np.arange(n)
    factor = np.sqrt(2 * order + 1) / (points[..., None] + order + 1)
    return factor * _sections(n, points)[..., :-1]


def _sections(n: int, s: Complex) -> Complex:
    """Products of the first 0, 1, ..., n factors (s - j + 1) / (s + j): (..., n+1)."""
    j = np.arange(1, n + 1)
    factors = (s[..., None] - j + 1) / (s[..., None] + j)
    return np.cumprod(np.concatenate([np.ones((*s.shape, 1)), factors], axis=-1), axis=-1)


def _family(n: int, theta: float) -> Modes:
    """Modes of the dissipative family: the eigenvalues solve b = -1/r, the vectors are `transfer`.

    A general eigen-solver finds the eigenvalues to about 1e-12; two Newton steps on log(-r b) and
    the closed form of the vectors bring both to rounding.
    """
    system, r = hippo.legs(n), theta / (2 - theta)
    values = np.linalg.eigvals(system.A + theta * system.P @ system.P.T).astype(np.complex128)
    values = values[values.imag >= 0]
    values = values[np.lexsort((values.real, values.imag))]
    j = np.arange(1, n + 1)
    for _ in range(2):
        slope = (1 / (values[:, None] - j + 1) - 1 / (values[:, None] + j)).sum(1)
        step = np.log(-r * all_pass(n, values)) / slope
        values = values - np.where(np.abs(step) < 1e-6 * np.abs(values), step, 0)
    values = np.minimum(values.real, -0.5) + 1j * values.imag  # proven; here against rounding
    return complete(values, transfer(n, values).T, (1 - theta / 2) * system.B)


def _theta_of_condition(n: int, condition: float, least: float) -> float:
    """The least theta in [least, 1] whose eigenvectors are conditioned no worse than that."""
    grid = np.geomspace(least, 1, 25)
    enough = (i for i, theta in enumerate(grid) if dissipative(n, theta).condition <= condition)
    first = next(enough, len(grid) - 1)
    low, high = grid[max(first - 1, 0)], grid[first]
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        if dissipative(n, middle).condition <= condition:
            high = middle
        else:
            low = middle
    return float(high)


def _frequencies(modes: Modes, density: int) -> Real:
    """Frequencies where errors may peak: `density` between neighbouring eigenfrequencies."""
    turning = modes.eigenvalues.imag[modes.eigenvalues.imag > 0]
    edges = np.concatenate([[0.0], np.sort(turning), [modes.size]])
    between = [np.linspace(a, b, density, endpoint=False) for a, b in pairwise(np.sort(edges))]
    return np.concatenate([*between, np.geomspace(1, 1000, 8 * density) * edges.max()])


def _errors(modes: Modes, w: Real) -> Real:
    """(3, f) errors at frequencies (f,): first state, norm, norm relative to LegS's."""
    target = transfer(modes.size, 1j * w)
    error = modes.transfer(1j * w) - target
    distance = np.linalg.norm(error, axis=1)
    return np.stack([np.abs(error[:, 0]), distance, distance / np.linalg.norm(target, axis=1)])


def _suprema(modes: Modes) -> Real:
    """(3,) the suprema of `_errors` over all frequencies."""
    w = _frequencies(modes, density=16)
    curves = _errors(modes, w)
    best = curves.max(axis=1)
    for row, curve in enumerate(curves):
        for centre in np.argsort(curve)[-3:]:
            low, high = w[max(centre - 1, 0)], w[min(centre + 1, len(w) - 1)]
            for _ in range(7):
                fine = np.linspace(low, high, 33)
                values = _errors(modes, fine)[row]
                top = int(np.argmax(values))
                low, high = fine[max(top - 1, 0)], fine[min(top + 1, 32)]
                best[row] = max(best[row], values[top])
    B = hippo.legs(modes.size).B
    best[2] = max(best[2], np.linalg.norm(modes.input() - B) / np.linalg.norm(B))  # w = infinity
    return best
