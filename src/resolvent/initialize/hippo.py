"""HiPPO: matrices whose state holds the coefficients of the input's history on a basis.

The system h' = A h + B u has the kernels K(t) = e^{tA} B, one for each state; a HiPPO matrix makes
them a basis that is orthonormal under a measure on the past, so that h(t) describes the input's
history and any readout C h is a function of that description.

    legs   warped Legendre           K_n(t) = sqrt(2n+1) P_n(2 e^{-t} - 1) e^{-t}    all of the past
    legt   Legendre on a window      K_n(t) = sqrt(2n+1) P_n(1 - 2t),  0 <= t <= 1   in the limit
    lagt   generalised Laguerre      K_n(t) = L_n^(alpha)(t) e^{-(1+beta) t/2}       all of the past
    fout   Fourier on a window       1, sqrt(2) cos 2 pi k t, sqrt(2) sin 2 pi k t   in the limit

Windows. Every window has length 1 unless told otherwise. The code published with S4 halves LegT and
FouT, which makes their window 2 while the papers (and this module) say 1: a step size meant for
that code is twice the step size meant here. A window w stretches time: K(t) = K_1(t / w) / w, the
inner product with the uniform probability measure on [0, w].

NPLR. Every matrix here is normal plus low rank: A + P P^T = c I + (skew-symmetric), which is what
makes a stable diagonal form reachable (S4: Gu, Goel, Ré 2022, theorem 1).

Sources: HiPPO (Gu, Dao, Ermon, Rudra, Ré 2020), appendices C and D; How to train your HiPPO (Gu,
Johnson, Timalsina, Rudra, Ré 2023), sections 3 and 4, here "HTTYH".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import solve_triangular
from scipy.special import binom, eval_genlaguerre, eval_legendre

from resolvent.initialize._arguments import Real, check_real, check_size


@dataclass(frozen=True, eq=False)
class Hippo:
    """A HiPPO system h' = A h + B u in its normal-plus-low-rank form.

    Attributes:
        A: (n, n) state matrix.
        B: (n,) input vector.
        P: (n, r) low-rank factor: A + P Pᵀ is c I + (skew-symmetric). r = 1, for legt 2.
        window: the time the state looks back: the length of the window for legt and fout, the
            mean age under the measure e^{-t} for legs and lagt (always 1). With a step size
            window / T it spans about T samples.
        decay: the c above, the real part of every eigenvalue of the normal part.
    """

    A: Real
    B: Real
    P: Real
    window: float
    decay: float

    @property
    def normal(self) -> Real:
        """(n, n) normal part A + P Pᵀ = c I + (skew-symmetric), made exactly so."""
        S = self.A + self.P @ self.P.T
        return (S - S.T) / 2 + self.decay * np.eye(len(S))


def legs(n: int) -> Hippo:
    """HiPPO-LegS as S4 uses it: Legendre polynomials of the exponentially warped past.

    A has -(n+1) on and -sqrt(2n+1) sqrt(2k+1) below the diagonal (row n, column k),
    B_n = sqrt(2n+1), P = B / sqrt(2), c = -1/2. Dividing A and B by t gives the time-varying system
    of the HiPPO paper: see `remember`. Source: HiPPO theorem 2; HTTYH corollary 3.3.

    Args:
        n: number of states, at least 1.

    Raises:
        TypeError, ValueError: if n is not a whole number of at least 1.
    """
    n = check_size(n)
    B = np.sqrt(2 * np.arange(n) + 1.0)
    A = -np.tril(np.outer(B, B), -1) - np.diag(np.arange(1.0, n + 1))
    return Hippo(A, B, B[:, None] / np.sqrt(2), window=1.0, decay=-0.5)


def legt(n: int, window: float = 1.0) -> Hippo:
    """HiPPO-LegT: Legendre polynomials on a sliding window (the Legendre memory unit).

    For window 1: A = -sqrt(2n+1) sqrt(2k+1) times (1 for n >= k, (-1)^{n-k} above the diagonal),
    B_n = sqrt(2n+1); P has rank 2, the even and the odd entries of B; c = 0.
    Source: HiPPO theorem 1 (LegT, lambda_n = sqrt(2n+1)); HTTYH section 4.1.

    Args:
        n: number of states, at least 1.
        window: length of the window, positive.

    Raises:
        TypeError, ValueError: if n is not a whole number of at least 1 or window not positive.
    """
    n, window = check_size(n), check_real(window, "window")
    order = np.arange(n)
    B = np.sqrt(2 * order + 1.0)
    above = order[:, None] < order[None, :]
    odd_distance = (order[:, None] - order[None, :]) % 2 == 1
    A = -np.outer(B, B) * np.where(above & odd_distance, -1.0, 1.0)
    P = B[:, None] * (order[:, None] % 2 == np.arange(min(n, 2)))
    return Hippo(A / window, B / window, P / np.sqrt(window), window, decay=0.0)


def lagt(n: int, alpha: float = 0.0, beta: float = 0.0) -> Hippo:
    """HiPPO-LagT: generalised Laguerre functions of the past.

    A has -(1+beta)/2 on and -1 below the diagonal, B_n = binom(n+alpha, n) = L_n^(alpha)(0),
    P = 1/sqrt(2), c = -beta/2. The kernels are the functions L_n^(alpha)(t) e^{-(1+beta) t/2}
    exactly, for every n. alpha = beta = 0 gives the orthonormal Laguerre functions (`lagt` of the
    published code); beta = 1 is the matrix printed in the HiPPO paper.

    The state counts in units of L_n^(alpha); the published code divides coordinate n by the norm
    sqrt(Gamma(n+alpha+1)/n!) (1 at alpha = 0), which destroys the normal-plus-low-rank form, and
    all of B by a constant that is infinite at beta = 0. A readout C absorbs both.
    Source: HiPPO appendix D.2.

    Args:
        n: number of states, at least 1.
        alpha: exponent of the measure t^alpha e^{-t}, above -1.
        beta: tilt, at least 0.

    Raises:
        TypeError, ValueError: if an argument lies outside the range above.
    """
    n = check_size(n)
    alpha = check_real(alpha, "alpha", low=-1.0)
    beta = check_real(beta, "beta", closed="l")
    A = -np.tril(np.ones((n, n)), -1) - (1 + beta) / 2 * np.eye(n)
    order = np.arange(n)
    B, P = binom(order + alpha, order), np.full((n, 1), np.sqrt(0.5))
    return Hippo(A, B, P, window=1.0, decay=-beta / 2)


def fout(n: int, window: float = 1.0) -> Hippo:
    """HiPPO-FouT: Fourier coefficients on a sliding window.

    For window 1 and b = (1, sqrt 2, 0, sqrt 2, 0, ...): A = 2 pi S - 2 b bᵀ, B = 2 b,
    P = sqrt(2) b, c = 0, where S turns the pair (cos k, sin k) at rate k. The coordinates are 1,
    then cos k and sin k for k = 1, 2, ... An even n leaves one coordinate over: it takes position
    1, the place of sin 0 = 0, and is dead (zero in A and in B), as in the published code; an odd n
    has none. Source: HTTYH theorem 3.7 and section 4.1.

    Args:
        n: number of states, at least 1.
        window: length of the window, positive.

    Raises:
        TypeError, ValueError: if n is not a whole number of at least 1 or window not positive.
    """
    n, window = check_size(n), check_real(window, "window")
    cosine, harmonic = _fourier_layout(n)
    b = np.zeros(n)
    b[0], b[cosine] = 1.0, np.sqrt(2)
    S = np.zeros((n, n))
    S[cosine, cosine + 1], S[cosine + 1, cosine] = -harmonic, harmonic
    A = 2 * np.pi * S - 2 * np.outer(b, b)
    P = np.sqrt(2 / window) * b[:, None]
    return Hippo(A / window, 2 * b / window, P, window, decay=0.0)


def _fourier_layout(n: int) -> tuple[NDArray[np.integer[Any]], Real]:
    """Positions of the cosines of `fout` (each sine follows its cosine) and their harmonics."""
    pairs = np.arange((n - 1) // 2)
    return 2 - n % 2 + 2 * pairs, pairs + 1.0


def _legs_basis(n: int, t: Real) -> Real:
    order, age = np.arange(n), np.exp(-t)[..., None]
    return np.sqrt(2 * order + 1.0) * eval_legendre(order, 2 * age - 1) * age


def _legt_basis(n: int, t: Real) -> Real:
    order, inside = np.arange(n), (t <= 1)[..., None]
    values = np.sqrt(2 * order + 1.0) * eval_legendre(order, 1 - 2 * t[..., None])
    return np.where(inside, values, 0)


def _lagt_basis(n: int, t: Real) -> Real:
    return eval_genlaguerre(np.arange(n), 0.0, t[..., None]) * np.exp(-t / 2)[..., None]


def _fout_basis(n: int, t: Real) -> Real:
    cosine, harmonic = _fourier_layout(n)
    angle = 2 * np.pi * harmonic * t[..., None]
    values = np.zeros((*t.shape, n))
    values[..., 0] = 1.0
    values[..., cosine] = np.sqrt(2) * np.cos(angle)
    values[..., cosine + 1] = np.sqrt(2) * np.sin(angle)
    return np.where((t <= 1)[..., None], values, 0)


BY_NAME: dict[str, Callable[[int], Hippo]] = {
    "legs": legs,
    "legt": legt,
    "lagt": lagt,
    "fout": fout,
}
_BASES = {"legs": _legs_basis, "legt": _legt_basis, "lagt": _lagt_basis, "fout": _fout_basis}


def by_name(name: str, n: int) -> Hippo:
    """The HiPPO system of that name at its defaults: "legs", "legt", "lagt" or "fout".

    Raises:
        ValueError: if the name is unknown.
    """
    return _lookup(BY_NAME, name)(n)


def basis(name: str, n: int, t: ArrayLike) -> Real:
    """The functions that the kernels e^{tA} B of a HiPPO system (at its defaults) stand for.

    They equal the kernels for legs and lagt; for legt and fout they are the limit of many states,
    approached in the mean with Gibbs ripples at the ends of the window.

    Args:
        name: "legs", "legt", "lagt" or "fout".
        n: number of states.
        t: (...) times, at least 0.

    Returns:
        (..., n) values.

    Raises:
        ValueError: if the name is unknown or a time is negative.
    """
    times = np.asarray(t, dtype=np.float64)
    if not np.all(times >= 0):
        raise ValueError(f"t must be at least 0, got {times.min()}; kernels start at time 0")
    return _lookup(_BASES, name)(check_size(n), times)


def _lookup(table: dict[str, Callable], name: str) -> Callable:
    if name not in table:
        raise ValueError(f"name must be one of {sorted(table)}, got {name!r}; choose one of these")
    return table[name]


def remember(u: ArrayLike, n: int, steps: ArrayLike | None = None) -> Real:
    """Run LegS over a signal in warped time and return the coefficients of its whole history.

    A warp a(t) of time gives the system h' = a'(t) (A h + B u), whose state holds the coefficients
    of the past on the basis sqrt(2n+1) P_n(2s - 1), s = e^{a(past) - a(now)} in [0, 1]
    (HTTYH theorem 3.4). Only the increments of a matter. a = log t is the LegS of the HiPPO paper:
    s is the fraction of the history, every part of it weighs the same, and stretching the signal
    in time leaves the coefficients alone. a = t is the time-invariant LegS. Each step is bilinear.

    Args:
        u: (l,) samples, oldest first.
        n: number of coefficients.
        steps: (l,) positive increments of the warp; default 1/1, 1/2, ..., 1/l (a = log t).

    Returns:
        (n,) coefficients after the last sample; `recall` turns them back into values.

    Raises:
        ValueError: if u is not one-dimensional, or steps has another length or is not positive.
    """
    samples = np.asarray(u, dtype=np.float64)
    if samples.ndim != 1:
        raise ValueError(f"u must have shape (l,), got {samples.shape}; pass one channel at a time")
    warp = 1 / np.arange(1.0, len(samples) + 1) if steps is None else np.asarray(steps, np.float64)
    if warp.shape != samples.shape or not np.all(warp > 0):
        raise ValueError(
            f"steps must be positive with shape {samples.shape}, got shape {warp.shape} and "
            f"minimum {warp.min(initial=np.inf)}; pass one positive increment a sample"
        )
    system, eye = legs(n), np.eye(check_size(n))
    h = np.zeros(n)
    for value, step in zip(samples, warp, strict=True):
        right = h + step * (system.A @ h / 2 + system.B * value)
        h = solve_triangular(eye - step / 2 * system.A, right, lower=True, check_finite=False)
    return h


def recall(coefficients: ArrayLike, s: ArrayLike) -> Real:
    """The history that LegS coefficients describe: the inverse of `remember`.

    Args:
        coefficients: (n,) from `remember`.
        s: (...) places in the history: 0 the oldest, 1 the newest.

    Returns:
        (...) values, sum_n c_n sqrt(2n+1) P_n(2s - 1).
    """
    c = np.asarray(coefficients, dtype=np.float64)
    order = np.arange(len(c))
    polynomials = eval_legendre(order, 2 * np.asarray(s, dtype=np.float64)[..., None] - 1)
    return polynomials @ (np.sqrt(2 * order + 1.0) * c)
