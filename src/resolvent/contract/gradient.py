"""Promises about gradients, through the sequence and through the states at both of its ends."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten

from resolvent.contract.promise import difference, promise
from resolvent.contract.sequence import need_step
from resolvent.contract.subject import (
    Subject,
    Timing,
    differentiable,
    gradients,
    run,
    tensors,
    walk,
)
from resolvent.contract.tolerance import tolerance


@promise(tolerance(torch.float64, "gradient"))
def gradients_are_those_of_the_loop(subject: Subject, b: int, length: int) -> float:
    """Gradients by inputs, weights, dt and initial state, final state included, are the loop's."""
    need_step(subject)
    layer, found = subject.layer, []
    for execute in (run, walk):
        u, state = subject.inputs(b, length).requires_grad_(), differentiable(subject.state(b))
        timing = Timing()
        if all(subject.takes(name) for name in ("dt", "resets", "lengths")):
            timing = subject.timing(b, length)
            assert timing.dt is not None
            timing.dt.requires_grad_()
        out = execute(layer, u, state, timing)
        found.append(gradients(out, (u, state, timing.dt, list(layer.parameters()))))
    return difference(found[0], found[1])


@promise(tolerance(torch.float64, "finite difference"), ((2, 3), (1, 66)))
def gradients_are_finite_differences(subject: Subject, b: int, length: int) -> float:
    """Gradients agree with finite differences along random directions (input, state, weights)."""
    layer = subject.layer
    u = subject.inputs(b, length)
    leaves, spec = tree_flatten(subject.state(b) if subject.causal else ())
    names = [name for name, x in layer.named_parameters() if x.requires_grad]
    weights = [x.detach() for x in layer.parameters() if x.requires_grad]
    timing = subject.timing(b, length) if subject.takes("dt") and subject.takes("resets") else None

    def functional(u: Tensor, *values: Tensor) -> Tensor:
        now = tree_unflatten(list(values[: len(leaves)]), spec) or None
        swapped = dict(zip(names, values[len(leaves) :], strict=True))
        given = {} if timing is None else {"dt": timing.dt, "resets": timing.resets}
        out = torch.func.functional_call(layer, swapped, (u, now), given)
        return torch.cat([x.flatten() for x in tensors(out) if x.is_floating_point()])

    return _directional(functional, [u, *leaves, *weights], subject)


def _directional(functional, at: list[Tensor], subject: Subject) -> float:
    """Error of directional derivatives, one random direction for each argument."""
    at = [x.detach().requires_grad_(x.is_floating_point()) for x in at]
    out = functional(*at)
    weight = torch.randn(out.shape, generator=subject.random(6)).double()
    analytic = torch.autograd.grad((out * weight).sum(), at, allow_unused=True)
    worst, g, eps = 0.0, subject.random(7), 1e-6
    for i, (x, gradient) in enumerate(zip(at, analytic, strict=True)):
        if not x.numel():
            continue
        v = torch.randn(x.shape, generator=g, dtype=x.dtype)
        v = v / v.norm()
        with torch.no_grad():
            up, down = (functional(*at[:i], x + s * eps * v, *at[i + 1 :]) for s in (1, -1))
            slope = ((up - down) * weight).sum() / (2 * eps)
        found = slope * 0 if gradient is None else (gradient * v).sum()
        scale = 0.0 if gradient is None else float(gradient.norm())
        worst = max(worst, float((found - slope).abs()) / max(scale, float(slope.abs()), 1e-3))
    return worst
