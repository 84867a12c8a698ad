"""Promises about what is computed: outputs and kernels of dense matrices, and what dt means."""

from __future__ import annotations

import torch
from torch import Tensor

from resolvent.contract.promise import NotApplicable, difference, promise
from resolvent.contract.sequence import VALUE, need
from resolvent.contract.subject import Subject, Timing, run
from resolvent.contract.tolerance import tolerance
from resolvent.system import Continuous, Invariant

KERNEL = tolerance(torch.float64, "kernel")
Matrices = tuple[Tensor, Tensor, Tensor, Tensor]


def _invariant(subject: Subject) -> Invariant:
    if not hasattr(subject.layer, "kernel") or not hasattr(subject.layer, "system"):
        raise NotApplicable("the layer has no kernel(length) or no system(): it may vary")
    return subject.layer.system()


def _impulse(matrices: Matrices, length: int) -> Tensor:
    """C A^k B by repeated products: (m, q, p, length)."""
    A, X, C, _ = matrices
    out = []
    for _ in range(length):
        out.append(C @ X)
        X = A @ X
    return torch.stack(out, -1)


def _simulate(matrices: Matrices, u: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs (b, l, d) and last state (b, m, N) of dense systems, u (b, l, d) dealt to heads."""
    A, B, C, D = matrices
    x = u.unflatten(-1, tuple(D.shape))
    h = u.new_zeros(u.shape[0], *A.shape[-3:-2], A.shape[-1])
    if A.shape[0] != B.shape[0]:  # one matrix for all heads
        h = h.expand(-1, B.shape[0], -1)
    ys = []
    for t in range(u.shape[1]):
        h = (A @ h[..., None] + B @ x[:, t, :, :, None])[..., 0]
        ys.append((C @ h[..., None])[..., 0] + D * x[:, t])
    return torch.stack(ys, 1).flatten(2), h


@promise(KERNEL, ((1, 1), (1, 67), (1, 1000)))
def kernel_is_the_impulse_response(subject: Subject, b: int, length: int) -> float:
    """kernel(length) holds C A^k B of the dense matrices, multiplied out one by one."""
    with torch.no_grad():
        K = _impulse(_invariant(subject).dense(), length)
        found = subject.layer.kernel(length)
        return difference(found, K[0] if found.ndim == 3 else K[:, 0, 0])


@promise(VALUE)
def output_is_the_dense_simulation(subject: Subject, b: int, length: int) -> float:
    """Outputs are those of the dense matrices of system(), simulated step by step."""
    u = subject.inputs(b, length)
    with torch.no_grad():
        y, _ = _simulate(_invariant(subject).dense(), u)
        return difference(run(subject.layer, u)[0], y)


@promise(VALUE)
def dt_of_one_changes_nothing(subject: Subject, b: int, length: int) -> float:
    """Factors dt = 1 give what no dt gives."""
    need(subject, "dt")
    u = subject.inputs(b, length)
    with torch.no_grad():
        ones = run(subject.layer, u, timing=Timing(dt=torch.ones(b, length, dtype=u.dtype)))
        return difference(ones, run(subject.layer, u))


@promise(VALUE)
def dt_scales_the_step_size(subject: Subject, b: int, length: int) -> float:
    """Factors dt = c give the layer whose step size is c times as long."""
    need(subject, "dt")
    layer, worst = subject.layer, 0.0
    if not all(hasattr(layer, name) for name in ("continuous", "step_size", "rule")):
        raise NotApplicable("the layer does not state continuous(), step_size() and rule")
    u = subject.inputs(b, length)
    with torch.no_grad():
        for c in (0.3, 2.0):
            continuous: Continuous = layer.continuous()
            slower = continuous.discretize(layer.rule, c * layer.step_size())
            dt = torch.full((b, length), c, dtype=u.dtype)
            y, _ = run(layer, u, timing=Timing(dt=dt))
            worst = max(worst, difference(y, _simulate(slower.dense(), u)[0]))
    return worst
