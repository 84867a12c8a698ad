"""The zero-order hold of a diagonal system, by its kernel."""

from __future__ import annotations

from dataclasses import replace

from resolvent.discretize import zoh
from resolvent.kernels import zoh as zoh_kernel
from resolvent.structure import Diagonal
from resolvent.system import Given, Invariant, Sampled


def held(system: Invariant) -> Invariant:
    """The same system, with its pair (A, B) at hand if a kernel makes it; else as it is."""
    transition = system.transition
    if not isinstance(transition, Sampled):
        return system
    A, B = transition.continuous.A, transition.continuous.B
    if not (isinstance(A, Diagonal) and transition.rule is zoh):
        return system
    a, s = zoh_kernel(A.values, transition.dt)
    B = s[..., None] * B if system.mimo else s * B
    return replace(system, transition=Given((Diagonal(a), B)))
