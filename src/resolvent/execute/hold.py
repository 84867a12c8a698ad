"""The zero-order hold of a diagonal system, by its kernel."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from resolvent.discretize import zoh
from resolvent.kernels import zoh as zoh_kernel
from resolvent.structure import Diagonal
from resolvent.system import Discrete, Given, Invariant, Sampled


def held(system: Invariant) -> Invariant:
    """The same system, with its pair (A, B) at hand if a kernel makes it; else as it is."""
    continuous = before_hold(system)
    if continuous is None:
        return system
    A, B, dt = continuous
    a, s = zoh_kernel(A.values, dt)
    B = s[..., None] * B if system.mimo else s * B
    return replace(system, transition=Given((Diagonal(a), B)))


def before_hold(system: Discrete) -> tuple[Diagonal, Tensor, Tensor] | None:
    """The continuous pair (A, B) and the steps dt that it is held for, if A is diagonal."""
    transition = system.transition
    if not (isinstance(transition, Sampled) and transition.rule is zoh):
        return None
    A = transition.continuous.A
    return (A, transition.continuous.B, transition.dt) if isinstance(A, Diagonal) else None
