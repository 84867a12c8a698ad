"""Promises about precision and range: long sequences, extreme steps, half precision, odd sizes."""

from __future__ import annotations

import torch
from torch import Tensor

from resolvent.contract.promise import NotApplicable, difference, promise
from resolvent.contract.sequence import need
from resolvent.contract.subject import Subject, Timing, run, tensors
from resolvent.contract.tolerance import EXACT, tolerance

LONG = 16_384
LONGEST = 1 << 20


def finite(*nests: object) -> float:
    """0 if every entry of every tensor is finite, else infinite."""
    fine = all(bool(torch.isfinite(x).all()) for x in tensors(nests))
    return 0.0 if fine else float("inf")


@promise(tolerance(torch.float32, "long"), ((1, LONG),))
def float32_follows_float64(subject: Subject, b: int, length: int) -> float:
    """Over 16,384 steps float32 stays near float64, in the outputs and in the state."""
    length = length // 4 if subject.grows else length  # all pairs of steps are compared
    u, narrow = subject.inputs(b, length), subject.copy(torch.float32)
    wide = subject.copy(torch.float32).double()  # the same rounded weights
    with torch.no_grad():
        return difference(run(narrow, u.float()), run(wide, u.float().double()))


@promise(EXACT, ((1, LONGEST),))
def finite_over_a_million_steps(subject: Subject, b: int, length: int) -> float:
    """Nothing is infinite or NaN after 2^20 steps of float32."""
    if subject.grows:
        raise NotApplicable("the layer keeps every step: 2^20 of them would be compared in pairs")
    with torch.no_grad():
        return finite(run(subject.copy(torch.float32), subject.inputs(b, length).float()))


@promise(EXACT, ((2, 9), (1, 130)))
def finite_at_extreme_dt(subject: Subject, b: int, length: int) -> float:
    """Steps a billion times shorter or longer give finite outputs, states and gradients."""
    need(subject, "dt")
    worst = 0.0
    for dtype in (torch.float32, torch.float64):
        layer = subject.copy(dtype)
        for factor in (1e-9, 1e9):
            u = subject.inputs(b, length).to(dtype).requires_grad_()
            dt = torch.full((b, length), factor, dtype=dtype)
            dt[:, ::2] = 1.0
            out = run(layer, u, timing=Timing(dt=dt))
            loss = sum(x.square().sum() for x in tensors(out))
            wanted = [u, *(x for x in layer.parameters() if x.requires_grad)]
            assert isinstance(loss, Tensor)
            slopes = torch.autograd.grad(loss, wanted, allow_unused=True, materialize_grads=True)
            worst = max(worst, finite(out, slopes))
    return worst


@promise(tolerance(torch.bfloat16, "autocast"), ((2, 512),))
def autocast_keeps_the_recurrence(subject: Subject, b: int, length: int) -> float:
    """Under bfloat16 autocast the state stays float32 and the outputs near those without it."""
    layer, u = subject.copy(torch.float32), subject.inputs(b, length).float()
    with torch.no_grad():
        y, state = run(layer, u)
        with torch.autocast("cpu", torch.bfloat16):
            y_half, state_half = run(layer, u)
    kept = [x.dtype for x in tensors(state_half)]
    if any(x in (torch.bfloat16, torch.float16) for x in kept):
        raise ValueError(f"the state became {kept} under autocast, expected float32")
    return difference((y_half, state_half), (y, state))


@promise(EXACT, tuple((b, length) for b in (0, 1, 3) for length in (0, 1, 2, 67)))
def any_size(subject: Subject, b: int, length: int) -> float:
    """Empty batches and sequences, single ones and primes run forward and backward."""
    worst = 0.0
    for d_model in (1, 5):
        layer = subject.build(d_model)
        u = torch.randn(b, length, d_model, generator=subject.random()).requires_grad_()
        for timing in (Timing(), _timing(subject, b, length)):
            out = run(layer, u, None, timing)
            loss = sum(x.sum() for x in tensors(out))
            assert isinstance(loss, Tensor)
            wanted = [u, *(x for x in layer.parameters() if x.requires_grad)]
            if loss.requires_grad:
                slopes = torch.autograd.grad(loss, wanted, allow_unused=True)
                worst = max(worst, finite([x for x in slopes if x is not None]))
            worst = max(worst, finite(out))
    return worst


@promise(EXACT, ((2, 5),))
def state_never_grows(subject: Subject, b: int, length: int) -> float:
    """The state has the same shapes after any number of steps."""
    if not subject.causal:
        raise NotApplicable("the layer is not causal, so it has no state")
    if subject.grows:
        raise NotApplicable("the layer says that its state grows with the steps read")
    shapes = []
    with torch.no_grad():
        for steps in (0, 1, length, 20 * length):
            state = run(subject.layer, subject.inputs(b, steps))[1]
            shapes.append([tuple(x.shape) for x in tensors(state)])
    if any(x != shapes[0] for x in shapes):
        raise ValueError(f"the state's shapes depend on the length: {shapes}")
    return 0.0


def _timing(subject: Subject, b: int, length: int) -> Timing:
    timing = subject.timing(b, length)
    dt = None if timing.dt is None or not subject.takes("dt") else timing.dt.float()
    return Timing(
        dt,
        timing.resets if subject.takes("resets") else None,
        timing.lengths if subject.takes("lengths") else None,
    )
