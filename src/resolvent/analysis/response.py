"""Responses in time: what an impulse and a step at the input leave at the output."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.fft import irfft

from resolvent.analysis.frequency import BUDGET, through_resolvent
from resolvent.analysis.precise import double, in_double, skip
from resolvent.structure import (
    DPLR,
    Structure,
    exponential,
    functional_to_real,
    markov,
    phi1,
    to_real,
)
from resolvent.system import Continuous, Invariant

Transfer = Callable[[DPLR, Tensor, Tensor, Tensor], Tensor]
"""C (s I - A)^-1 B at points s (f,) for real B (m, N, p), C (m, q, N): complex (m, q, p, f)."""


def kernel(system: Invariant, length: int, transfer: Transfer = through_resolvent) -> Tensor:
    """Kernel K_k = C A^k B, k = 0 .. length - 1, without the skip D.

    DPLR goes through the resolvent on the unit circle (Cauchy products, S4 section 3.3, in the
    discrete plane); closed structures through their powers.

    Args:
        system: time-invariant system.
        length: number of steps.
        transfer: how the resolvent of DPLR is taken between C and B.

    Returns:
        (m, length), or (m, q, p, length) if mimo; of the system's dtype.

    Raises:
        ValueError: length is not positive.
    """
    if length < 1:
        raise ValueError(f"length: must be at least 1, got {length}")
    if not isinstance(system.A, DPLR):
        system = system.closed()
    B = system.B if system.mimo else system.B[..., None]
    C = system.C if system.mimo else system.C[..., None, :]
    if isinstance(system.A, DPLR):
        B, C = to_real(B, -2), functional_to_real(C, -1)
        K = _kernel_by_resolvent(system.A, B, C, length, transfer)
    else:
        K = markov(system.A, B, C, length)
    return K if system.mimo else K[:, 0, 0]


def impulse_response(system: Continuous | Invariant, when: Tensor | int) -> Tensor:
    """Output for an impulse at time 0.

        continuous   y(t) = C e^(tA) B     (the impulse D delta(t) itself is left out)
        discrete     y_k = C A^k B, and D more at k = 0

    Args:
        system: time-invariant system.
        when: times (l,), not negative, for a continuous system; a number of steps for a discrete.

    Returns:
        Float64 (m, l), or (m, q, p, l) if mimo.

    Raises:
        TypeError: `when` does not suit the system.
        ValueError: a time is negative, no step is asked for, or skips differ within a head.
    """
    if isinstance(system, Continuous):
        return _continuous(in_double(system), when, lambda A, t: exponential(A.affine(t, 0.0)))
    K = _steps(system, when)
    return torch.cat([K[..., :1] + skip(in_double(system))[..., None], K[..., 1:]], -1)


def step_response(system: Continuous | Invariant, when: Tensor | int) -> Tensor:
    """Output for an input that is 0 before time 0 and 1 from then on, skip included.

        continuous   y(t) = C t phi1(tA) B + D,  phi1(X) = X^-1 (e^X - I):  exact, also for A = 0
        discrete     y_k = sum_{j <= k} C A^j B + D

    Arguments, result and errors as in :func:`impulse_response`.
    """
    system = in_double(system)
    if isinstance(system, Continuous):
        y = _continuous(system, when, lambda A, t: phi1(A.affine(t, 0.0)).affine(t, 0.0))
    else:
        y = _steps(system, when).cumsum(-1)
    return y + skip(system)[..., None]


def _steps(system: Invariant, length: Tensor | int) -> Tensor:
    """The kernel in float64."""
    if not isinstance(length, int):
        raise TypeError(f"when: a discrete system takes a number of steps, got {length!r}")
    return kernel(in_double(system), length)


def _continuous(
    system: Continuous, times: Tensor | int, f: Callable[[Structure, Tensor], Structure]
) -> Tensor:
    """C f(A, t) B for every time t, a few matrices at once."""
    if isinstance(times, int):
        raise TypeError(f"when: a continuous system takes times (l,), got the number {times}")
    t = double(torch.as_tensor(times, device=system.D.device)).real
    if t.ndim != 1 or not bool((t >= 0).all()):
        raise ValueError(f"when: expected times (l,), none negative, got shape {tuple(t.shape)}")
    B = system.B if system.mimo else system.B[..., None]
    C = system.C if system.mimo else system.C[..., None, :]
    size = max(1, BUDGET // (B.shape[:-1].numel() * B.shape[-2]))
    parts = [_read(f(system.A, part[:, None, None]), B, C) for part in t.split(size)]
    y = torch.cat(parts).movedim(0, -1)
    return y if system.mimo else y[:, 0, 0]


def _read(E: Structure, B: Tensor, C: Tensor) -> Tensor:
    """Real C E B, in the coordinates of E."""
    if B.is_complex() and not E.dtype.is_complex:
        B, C = to_real(B, -2), functional_to_real(C, -1)
    y = C @ E.apply(B)
    return 2 * y.real if y.is_complex() else y


def _kernel_by_resolvent(A: DPLR, B: Tensor, C: Tensor, length: int, transfer: Transfer) -> Tensor:
    """sum_k K_k w^k = C (I - A^L) (I - w A)^-1 B at the roots of unity w, then an inverse FFT.

    Of A/rho in place of A, and times rho^k: rho > 1 where A^L has not decayed keeps slow modes,
    |lambda| close to 1, away from the points. In float64 whatever the dtype: s - lambda cancels.
    """
    A64 = A.map(double)
    C = double(C)
    last = torch.linalg.matrix_power(A64.dense(), length)
    log_rho = ((torch.linalg.matrix_norm(last.detach()).log() + 1) / length).clamp(min=0)
    C = C - C @ (last * (-length * log_rho).exp()[..., None, None])
    turn = torch.arange(length // 2 + 1, device=B.device, dtype=torch.float64) / length
    s = torch.polar(torch.ones_like(turn), 2 * torch.pi * turn)
    decayed = transfer(A64.affine((-log_rho).exp()[..., None], 0.0), double(B), C, s)
    k = torch.arange(length, device=B.device, dtype=torch.float64)
    return (irfft(decayed * s, length) * (log_rho[..., None, None, None] * k).exp()).to(B.dtype)
