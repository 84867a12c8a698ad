"""Continuous to discrete: h' = A h + B u becomes h_t = Abar h_{t-1} + Bbar u_t.

Every rule is a function ``(A, B, dt) -> (Abar, Bbar)``, written once over structure operations:

    A   Structure with leading axes (...)
    B   (..., n, p), complex halves where A is
    dt  step sizes (..., 1), or (..., n) where A is diagonal (one step size a state);
        leading axes may add batch and time, which makes the discrete system vary with time

The input is taken as constant over a step, exactly (zoh) or by a one-step method (bilinear, euler,
backward_euler), or as an impulse (dirac). dt positive; B and dt in the dtype of A.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from resolvent.structure import Structure, exponential, phi1, resolvent, to_real

Rule = Callable[[Structure, Tensor, Tensor], tuple[Structure, Tensor]]


def zoh(A: Structure, B: Tensor, dt: Tensor) -> tuple[Structure, Tensor]:
    """Zero-order hold: Abar = e^(dt A), Bbar = dt phi1(dt A) B; exact for stepwise inputs."""
    X = A.affine(dt, 0.0)
    return _pair(exponential(X), dt[..., None] * B, phi1(X))


def bilinear(A: Structure, B: Tensor, dt: Tensor) -> tuple[Structure, Tensor]:
    """Trapezoidal rule: Abar = (I - dt A/2)^-1 (I + dt A/2), Bbar = (I - dt A/2)^-1 dt B.

    Maps the left half-plane into the unit disc (Tustin). The input is held at u_t over the step, as
    in S4 (Gu et al. 2022, eq. 3), not averaged with u_{t-1}.
    """
    R = resolvent(A.affine(dt, 0.0), 2.0)  # (I - X/2)^-1 = 2 R, and (I + X/2) = 2I - (I - X/2)
    return R.affine(torch.full_like(dt, 4.0), -1.0), R.apply(2 * dt[..., None] * B)


def euler(A: Structure, B: Tensor, dt: Tensor) -> tuple[Structure, Tensor]:
    """Forward Euler: Abar = I + dt A, Bbar = dt B. Stable only while |1 + dt lambda| <= 1."""
    return A.affine(dt, 1.0), dt[..., None] * B


def backward_euler(A: Structure, B: Tensor, dt: Tensor) -> tuple[Structure, Tensor]:
    """Backward Euler: Abar = (I - dt A)^-1, Bbar = (I - dt A)^-1 dt B."""
    R = resolvent(A.affine(dt, 0.0), 1.0)
    return R, R.apply(dt[..., None] * B)


def dirac(A: Structure, B: Tensor, dt: Tensor) -> tuple[Structure, Tensor]:
    """Input as an impulse at the end of a step: Abar = e^(dt A), Bbar = B (LRU, event streams)."""
    lead = torch.broadcast_shapes(dt.shape[:-1], B.shape[:-2])
    return _pair(exponential(A.affine(dt, 0.0)), B.expand(*lead, *B.shape[-2:]))


def mixed(A: Structure, B: Tensor, dt: Tensor) -> tuple[Structure, Tensor]:
    """Exponential for A, Euler for B: Abar = e^(dt A), Bbar = dt B (what Mamba computes)."""
    return _pair(exponential(A.affine(dt, 0.0)), dt[..., None] * B)


def signed(A: Structure, B: Tensor, dt: Tensor) -> tuple[Structure, Tensor]:
    """Exponential stretched to (-1, 1): Abar = 2 e^(dt A) - I, Bbar = dt B.

    Negative eigenvalues let a diagonal system count modulo two (Grazzi et al. 2025, "Unlocking
    State-Tracking in Linear RNNs Through Negative Eigenvalues", section 4).
    """
    E, B = mixed(A, B, dt)
    return E.affine(torch.full_like(dt, 2.0), -1.0), B


def exponential_trapezoid(tau: Tensor) -> Rule:
    """The input at both ends of a step: (1 - tau) dt e^(dt A) B_- u_- + tau dt B u, e^(dt A) for A.

    A generalised trapezoid of the integral of e^((t - s) A) B u(s) over the step (Mamba-3, 2026,
    section 3.1); tau = 1 is `mixed`, tau = 1/2 is of second order. Its B are two side by side, the
    earlier one first, (..., n, 2 r), as are its inputs.

    Args:
        tau: weight of the step's end, within [0, 1], of the shape of dt.
    """

    def rule(A: Structure, B: Tensor, dt: Tensor) -> tuple[Structure, Tensor]:
        E, B = _pair(exponential(A.affine(dt, 0.0)), dt[..., None] * B)
        before, now = B.chunk(2, -1)
        w = tau[..., None]
        return E, torch.cat([E.apply((1 - w) * before), w * now], -1)

    return rule


def _pair(E: Structure, B: Tensor, weight: Structure | None = None) -> tuple[Structure, Tensor]:
    """Pair e^(dt A) with (weighted) B; the exponential of DPLR is dense, in real coordinates."""
    if B.is_complex() and not E.dtype.is_complex:
        B = to_real(B, -2)
    return E, B if weight is None else weight.apply(B)


BY_NAME: dict[str, Rule] = {
    rule.__name__: rule for rule in (zoh, bilinear, euler, backward_euler, dirac, mixed, signed)
}


def by_name(rule: str | Rule) -> Rule:
    """The rule of that name; a rule itself is returned as it is.

    Raises:
        ValueError: the name is unknown.
    """
    if callable(rule):
        return rule
    if rule not in BY_NAME:
        raise ValueError(f"rule: {rule!r} is unknown; choose one of {', '.join(BY_NAME)}")
    return BY_NAME[rule]
