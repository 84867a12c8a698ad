"""The selective scan on PyTorch operations: where no compiler was, and on other devices.

Time is taken a slab at a time, so that the states of all steps never exist at once; within a slab
they are found by `scan_torch.scan`.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from resolvent.kernels import scan_torch
from resolvent.kernels.arguments import real_steps
from resolvent.kernels.slabs import Slab, slabs

_NUMBERS = 1 << 20
"""Most numbers that the states of a slab may be, if one step has fewer."""


class Inputs(NamedTuple):
    """The arguments of the op but for rows, in its order; u, dt, B, C and z lead with (b, l)."""

    u: Tensor
    dt: Tensor
    A: Tensor
    B: Tensor
    C: Tensor
    D: Tensor | None
    bias: Tensor | None
    z: Tensor | None
    h: Tensor

    def at(self, slab: Slab, h: Tensor) -> "Inputs":
        """Some steps, with the state before them; whatever padding holds is cleared."""

        def pick(x: Tensor) -> Tensor:
            x = x[:, slab.when]
            return torch.where(_inside(slab, x).unflatten(1, (-1, *[1] * (x.dim() - 2))), x, 0)

        u, dt, B, C = (pick(x) for x in (self.u, self.dt, self.B, self.C))
        z = None if self.z is None else pick(self.z)
        return self._replace(u=u, dt=dt, B=B, C=C, z=z, h=h)


_SERIES = ("u", "dt", "B", "C", "z")


def _inside(slab: Slab, x: Tensor) -> Tensor:
    return real_steps(x, slab.left)


def _run(x: Inputs, slab: Slab) -> tuple[Tensor, Tensor]:
    dt = x.dt
    if x.bias is not None:
        dt = torch.logaddexp(dt + x.bias, torch.zeros_like(dt))
    a = torch.exp(dt[..., None] * x.A)
    inputs = (dt * x.u).unflatten(2, (x.B.shape[2], -1))[..., None] * x.B[:, :, :, None]
    h, last = scan_torch.scan(
        a.flatten(2), inputs.flatten(2), x.h.flatten(1), slab.resets, slab.left
    )
    y = (h.view_as(inputs) * x.C[:, :, :, None]).sum(-1).flatten(2)
    y = y if x.D is None else y + x.D * x.u
    y = y if x.z is None else y * torch.nn.functional.silu(x.z)
    return torch.where(_inside(slab, y)[..., None], y, 0), last.view_as(x.h)


def _slabs(x: Inputs, resets: Tensor | None, lengths: Tensor | None) -> list[Slab]:
    b, l, m = x.u.shape
    steps = max(_NUMBERS // max(b * m * x.A.shape[1], 1), 1)
    return slabs((b, l), steps, resets, lengths, x.u.device)


def scan(x: Inputs, resets: Tensor | None, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
    """`kernels.selective_scan` for equal dtypes."""
    y, h = [x.u[:, :0]], x.h.clone()
    for slab in _slabs(x, resets, lengths):
        part, h = _run(x.at(slab, h), slab)
        y.append(part)
    return torch.cat(y, dim=1), h


def scan_backward(
    x: Inputs, resets: Tensor | None, lengths: Tensor | None, gy: Tensor, gh: Tensor
) -> Inputs:
    """Gradients of `scan`, None for what is not given; slabs run again, the last one first."""
    cuts, h, states = _slabs(x, resets, lengths), x.h, []
    for slab in cuts:
        states.append(h)
        _, h = _run(x.at(slab, h), slab)
    total: list[Any] = [None if value is None else torch.zeros_like(value) for value in x]
    for slab, state in zip(reversed(cuts), reversed(states), strict=True):
        leaves: list[Any] = [
            value if value is None else value.detach().requires_grad_()
            for value in x.at(slab, state)
        ]
        with torch.enable_grad():
            outputs = _run(Inputs(*leaves), slab)
        given = [leaf for leaf in leaves if leaf is not None]
        *found, gh = torch.autograd.grad(outputs, given, (gy[:, slab.when], gh))
        sums = [(name, y) for name, y in zip(Inputs._fields, total, strict=True) if y is not None]
        for (name, y), grad in zip(sums, found, strict=False):
            (y[:, slab.when] if name in _SERIES else y).add_(grad)
    return Inputs._make([*total[:-1], gh])
