"""Diagonal initialisations: S4D's, DSS's and the LRU's ring, as `Modes` of n real states.

    name     eigenvalue of mode j = 0 .. k-1, k = (n+1)//2
    lin      -1/2 + i pi j
    inv      -1/2 + i (n/pi) (n/(2j+1) - 1)
    inv2     -1/2 + i (n/pi) (n/(j+1) - 1)
    quad     -1/2 + i (2j+1)^2 / pi
    legs     -1/2 + i mu_j, the spectrum of the normal part of HiPPO-LegS
    real     -(j+1)
    rand     -1/2 + i e^g, g standard normal
    dss      the spectrum of legs, ascending
    ring     on a ring of the unit disc: discrete-time eigenvalues

The papers count k complex modes and call them N/2 (S4D) or N (DSS); here n is always the number of
real states, and all have y = 2 Re(C h). An odd n needs one real mode: the lowest frequency is 0
(it already is for lin, inv, legs and dss). All but legs are named by their eigenvalues only and
get the canonical basis and modal input 1, see `modes.canonical`. In `real` two states share each
eigenvalue, as in the published code, so that n states take k modes as everywhere.

Sources: S4D (Gu, Gupta, Goel, Ré 2022) sections 4 and 5; DSS (Gupta, Gu, Berant 2022) section 4;
LRU (Orvieto et al. 2023) section 3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resolvent.initialize import hippo, ptd
from resolvent.initialize._arguments import Real, Seed, check_real, check_size
from resolvent.initialize.modes import Modes, canonical, from_normal


def lin(n: int) -> Modes:
    """S4D-Lin: equally spaced frequencies, -1/2 + i pi j; the limit of FouT (S4D, eq. 9)."""
    return _decaying(np.pi * _index(n), n)


def inv(n: int) -> Modes:
    """S4D-Inv: the inverse law that the LegS frequencies follow (S4D, eq. 8)."""
    return _decaying(n / np.pi * (n / (2 * _index(n) + 1) - 1), n)


def inv2(n: int) -> Modes:
    """S4D-Inv2: the other inverse law of the S4D ablation, n/(j+1) in place of n/(2j+1)."""
    return _decaying(n / np.pi * (n / (_index(n) + 1) - 1), n)


def quad(n: int) -> Modes:
    """S4D-Quad: frequencies growing with the square, (2j+1)^2 / pi (S4D ablation)."""
    return _decaying((2 * _index(n) + 1) ** 2 / np.pi, n)


def real(n: int) -> Modes:
    """S4D-Real: real eigenvalues -1, -2, ..., each shared by two states (S4D, section 4)."""
    return canonical(-(_index(n) + 1), n)


def rand(n: int, rng: Seed = 0) -> Modes:
    """S4D-Rand: log-normal frequencies (published code of S4D).

    Args:
        n: number of real states.
        rng: a numpy Generator, or a seed; the default gives the same frequencies every time.
    """
    return _decaying(np.exp(np.random.default_rng(rng).standard_normal(len(_index(n)))), n)


def legs(n: int) -> Modes:
    """S4D-LegS: HiPPO-LegS without its low-rank term, in the unitary basis of its normal part.

    The input is B/2, as the theory has it (S4D, theorem 3): with it the transfer function is
    (1+g)/2 times that of LegS for every readout, g(s) = Pᵀ (s - S)^{-1} P (docs/theory/ptd.md).
    The published code drops the 1/2.
    """
    system = hippo.legs(n)
    return from_normal(system.normal, system.B / 2)


def dss(n: int) -> Modes:
    """DSS's `hippo_skew_pos_imag`: the spectrum of `legs` with modal input 1.

    DSS with N complex states takes the N eigenvalues of positive imaginary part from the normal
    part of the LegS of size 2N, and merges B into C. These are n = 2N real states here. DSS writes
    y = Re(C h); with y = 2 Re(C h) its C is halved.
    """
    return canonical(legs(n).eigenvalues, n)


def ring(
    n: int,
    r_min: float = 0.0,
    r_max: float = 1.0,
    max_phase: float = 2 * np.pi,
    rng: Seed = 0,
) -> Modes:
    """The LRU's ring: DISCRETE-time eigenvalues, uniform by area on a ring of the unit disc.

    Eigenvalue exp(-exp(nu) + i exp(theta)) with squared modulus uniform in [r_min², r_max²] and
    phase uniform in [0, max_phase] (LRU, lemma 3.2), phases above pi reflected to the conjugate,
    which is the same real system. It is born discrete: do not discretise it; it is not in
    `BY_NAME` for that reason. The input scale sqrt(1 - |eigenvalue|²) is the layer's.

    Args:
        n: number of real states.
        r_min: inner radius, in [0, 1).
        r_max: outer radius, in (r_min, 1].
        max_phase: largest phase in radians, in [0, 2 pi].
        rng: a numpy Generator, or a seed; the default gives the same ring every time.

    Raises:
        TypeError, ValueError: if an argument lies outside the range above.
    """
    r_min = check_real(r_min, "r_min", 0.0, 1.0, closed="l")
    r_max = check_real(r_max, "r_max", r_min, 1.0, closed="h")
    max_phase = check_real(max_phase, "max_phase", 0.0, 2 * np.pi, closed="lh")
    generator, k = np.random.default_rng(rng), len(_index(n))
    # 1 - random() lies in (0, 1]: the modulus is never 0, where nu = log(-log|.|) would not exist.
    area = (1 - generator.random(k)) * (r_max**2 - r_min**2) + r_min**2
    phase = max_phase * generator.random(k)
    phase = np.minimum(phase, 2 * np.pi - phase)
    return canonical(np.sqrt(area) * np.exp(1j * _grounded(phase, n)), n)


def _index(n: int) -> NDArray[np.integer[Any]]:
    """The index j of each mode."""
    return np.arange((check_size(n) + 1) // 2)


def _grounded(frequencies: Real, n: int) -> Real:
    """The frequencies, the lowest of them 0 if n is odd."""
    if n % 2 == 0:
        return frequencies
    return np.where(np.arange(len(frequencies)) == np.argmin(frequencies), 0.0, frequencies)


def _decaying(frequencies: Real, n: int) -> Modes:
    """Modes of real part -1/2 at the given frequencies."""
    return canonical(-0.5 + 1j * _grounded(frequencies, n), n)


def _ptd(n: int) -> Modes:
    # Two states at theta = 0.1 have two different real eigenvalues, which need a mode each.
    return ptd.dissipative(n, theta=0.2 if n == 2 else 0.1).modes


BY_NAME: dict[str, Callable[[int], Modes]] = {
    "ptd": _ptd,
    "legs": legs,
    "lin": lin,
    "inv": inv,
    "inv2": inv2,
    "quad": quad,
    "real": real,
    "rand": rand,
    "dss": dss,
}


def by_name(name: str, n: int) -> Modes:
    """The continuous-time initialisation of that name at its defaults; "ptd" is the default choice.

    Raises:
        ValueError: if the name is unknown.
    """
    if name not in BY_NAME:
        raise ValueError(
            f"name must be one of {sorted(BY_NAME)}, got {name!r}; choose one of these"
        )
    return BY_NAME[name](n)
