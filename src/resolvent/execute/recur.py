"""The loop fused into one kernel: diagonal systems, states in registers, recomputed backward."""

from __future__ import annotations

from torch import Tensor

from resolvent.execute.blocks import in_blocks
from resolvent.kernels import diagonal_scan, diagonal_ssm
from resolvent.system import Discrete, Varying


@in_blocks
def recur(
    system: Discrete, u: Tensor, h0: Tensor, resets: Tensor | None, lengths: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Fused recurrence of a diagonal system; arguments as in :func:`resolvent.execute.run`."""
    if isinstance(system, Varying) or system.mimo or u.shape[-1] != 1:
        return _states(system, u, h0, resets, lengths)
    a = system.A.values.expand_as(system.B)  # type: ignore[attr-defined]
    y, h = diagonal_ssm(a, system.B, system.C, u[..., 0], h0[..., 0], resets, lengths)
    return y[..., None] + system.D * u, h[..., None]


def _states(
    system: Discrete, u: Tensor, h0: Tensor, resets: Tensor | None, lengths: Tensor | None
) -> tuple[Tensor, Tensor]:
    """All states at once, between the two products with B and C."""
    x = system.inject(u)
    shape = x.shape if isinstance(system, Varying) else x.shape[2:]
    a = system.A.values[..., None].expand(shape).flatten(-3)  # type: ignore[attr-defined]
    h, last = diagonal_scan(a, x.flatten(2), h0.flatten(1), resets, lengths)
    return system.read(h.view_as(x), u), last.view_as(h0)
