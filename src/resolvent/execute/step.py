"""The definition: one step, and the loop over steps. Legal for every system; every other execution
is tested against it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from resolvent.system import Discrete, Given, Varying


def step(system: Discrete, u: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """One step h = A h + B u, y = C h + D u of a system without a time axis.

    Args:
        system: fields lead with (m, ...) or (b, m, ...).
        u: (b, m, p), or (b, m, r, p) for r writes.
        h: (b, m, n, p or 1).

    Returns:
        y (b, m, q) and the new h.
    """
    h = system.A.apply(h) + system.inject(u)
    return system.read(h, u), h


def loop(
    system: Discrete, u: Tensor, h0: Tensor, resets: Tensor | None, lengths: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The recurrence, step by step; arguments as in :func:`resolvent.execute.run`."""
    h, ys = h0, []
    for t in range(u.shape[1]):
        now = at(system, t) if isinstance(system, Varying) else system
        before = h if resets is None else torch.where(_wide(resets[:, t]), torch.zeros_like(h), h)
        y, after = step(now, u[:, t], before)
        if lengths is not None:
            real = t < lengths
            after = torch.where(_wide(real), after, h)
        ys.append(y)
        h = after
    return (torch.stack(ys, 1) if ys else u), h


def at(system: Varying, t: int) -> Discrete:
    """The system of step t, without its time axis."""
    now = system.steps(t, t + 1)
    A, B = now.transition.pair
    C = now.C[:, 0] if system.varying_output else now.C
    transition = Given((A.map(lambda x: x[:, 0]), B[:, 0]))
    return Discrete(transition, C, now.D, now.mimo, now.writes)


def _wide(mask: Tensor) -> Tensor:
    return mask[:, None, None, None]
