"""Varying systems whose state is a matrix, one column a channel: fused, or in chunks.

The kernels take what a step decays by, the keys it writes under, the values it writes and the
queries it reads by (linear attention's names for A, B, u and C). No field is expanded beyond that:
of a selective system, dt B u^T is B (dt u)^T.
"""

from __future__ import annotations

from torch import Tensor

from resolvent.discretize import mixed
from resolvent.kernels import delta_rule, matrix_scan
from resolvent.structure import Diagonal, Scalar, Structure, exponential
from resolvent.system import DeltaRule, Discrete, Sampled, Varying


def why_not_matrix(system: Discrete) -> str | None:
    """The reason why the kernels of matrix states cannot run ``system``; None if they can."""
    if not isinstance(system, Varying):
        return "the kernels of matrix states are for systems that vary"
    if system.mimo:
        return "a matrix state needs one vector a head, and this system's B and C are dense"
    A = system.form
    if isinstance(A, Scalar | Diagonal) and not A.dtype.is_complex:
        return None
    if isinstance(system.transition, DeltaRule):
        return None
    return (
        f"matrix states decay by real numbers or follow Varying.delta_rule, and A is "
        f"{type(A).__name__} with {'complex' if A.dtype.is_complex else 'any'} entries"
    )


def matrix(
    system: Discrete,
    u: Tensor,
    h0: Tensor,
    resets: Tensor | None,
    lengths: Tensor | None,
    chunked: bool = False,
) -> tuple[Tensor, Tensor]:
    """Recurrence of a matrix state; arguments as in :func:`resolvent.execute.run`."""
    assert isinstance(system, Varying)
    b, length, m = u.shape[:3]
    queries = system.C if system.varying_output else system.C.expand(b, length, -1, -1)
    rows = (queries, h0, resets, lengths)
    if isinstance(system.transition, DeltaRule):
        A = system.transition.forget
        return delta_rule(A.gate, A.keys, u, A.beta, *rows, chunked=chunked)
    decays, keys, values = _factors(system, u)
    decays = decays.expand(b, length, m, decays.shape[-1])
    y, h = matrix_scan(decays, keys, values, *rows, chunked=chunked)
    return system.skip(y, u), h


def _factors(system: Varying, u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Decays (..., 1 or n), keys and values of a system that decays."""
    transition = system.transition
    if isinstance(transition, Sampled) and transition.selective and transition.rule is mixed:
        A = exponential(transition.continuous.A.affine(transition.dt, 0.0))
        return _decays(A), transition.continuous.B, transition.dt * u
    keys = system.B.mT if system.writes else system.B
    return _decays(system.A), keys.expand(*u.shape[:2], *keys.shape[2:]), u


def _decays(A: Structure) -> Tensor:
    if isinstance(A, Scalar):
        return A.value[..., None]
    assert isinstance(A, Diagonal)
    return A.values
