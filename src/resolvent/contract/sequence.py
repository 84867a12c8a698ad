"""Promises about sequences: one layer, many ways to hand it the same steps."""

from __future__ import annotations

import torch
from torch import Tensor

from resolvent.contract.promise import NotApplicable, difference, promise
from resolvent.contract.subject import Subject, Timing, initial, rows, run, tensors, walk, where
from resolvent.contract.tolerance import EXACT, tolerance

VALUE = tolerance(torch.float64, "value")


def need_step(subject: Subject) -> None:
    """Say why a layer that reads the future is excused from streaming."""
    if not subject.causal:
        raise NotApplicable("the layer is not causal, so it has no step and no state")


def need(subject: Subject, *names: str) -> None:
    """Say why a layer whose forward lacks an argument is excused."""
    for name in names:
        if not subject.takes(name):
            raise NotApplicable(f"forward has no argument {name!r}")


@promise(VALUE)
def forward_is_the_loop_of_step(subject: Subject, b: int, length: int) -> float:
    """Running a sequence at once gives the outputs and the state of running it step by step."""
    need_step(subject)
    u, state = subject.inputs(b, length), subject.state(b)
    with torch.no_grad():
        return difference(run(subject.layer, u, state), walk(subject.layer, u, state))


@promise(VALUE)
def any_split_carries_the_state(subject: Subject, b: int, length: int) -> float:
    """Cutting a sequence anywhere and carrying the state changes nothing, empty pieces included."""
    need_step(subject)
    u, state = subject.inputs(b, length), subject.state(b)
    cuts = torch.randint(0, length + 1, (3,), generator=subject.random(3)).sort().values.tolist()
    pieces, now = [], state
    with torch.no_grad():
        for start, stop in zip([0, *cuts], [*cuts, length], strict=True):
            y, now = run(subject.layer, u[:, start:stop], now)
            pieces.append(y)
        return difference((torch.cat(pieces, 1), now), run(subject.layer, u, state))


@promise(VALUE)
def no_state_is_the_initial_state(subject: Subject, b: int, length: int) -> float:
    """Leaving the state out is the same as passing initial_state."""
    need_step(subject)
    u = subject.inputs(b, length)
    with torch.no_grad():
        return difference(run(subject.layer, u), run(subject.layer, u, initial(subject.layer, u)))


@promise(VALUE)
def packed_is_separate(subject: Subject, b: int, length: int) -> float:
    """Sequences packed into one row with resets give the outputs of each one run alone."""
    need(subject, "resets")
    u, resets = subject.inputs(b, length), subject.timing(b, length).resets
    assert resets is not None
    resets[:, 0] = True
    state = subject.state(b) if subject.causal else None
    with torch.no_grad():
        packed, last = run(subject.layer, u, state, Timing(resets=resets))
        worst = 0.0
        for row in range(b):
            starts = resets[row].nonzero()[:, 0].tolist()
            alone, end = None, None
            pieces: list[Tensor] = []
            for start, stop in zip(starts, [*starts[1:], length], strict=True):
                alone, end = run(subject.layer, u[row : row + 1, start:stop])
                pieces.append(alone)
            worst = max(worst, difference(packed[row : row + 1], torch.cat(pieces, 1)))
            if subject.causal:
                own_end = rows(last, slice(row, row + 1))
                worst = max(worst, difference(own_end, end, subject.grows))
    return worst


@promise(VALUE)
def padded_is_separate(subject: Subject, b: int, length: int) -> float:
    """Right padding, even NaN, leaks into no output, state or gradient; padded outputs are 0."""
    need(subject, "lengths")
    lengths = subject.timing(b, length).lengths
    assert lengths is not None
    u = subject.inputs(b, length)
    padding = torch.arange(length) >= lengths[:, None]
    poisoned = torch.where(padding[..., None], torch.nan, u).requires_grad_()
    state = subject.state(b) if subject.causal else None
    y, last = run(subject.layer, poisoned, state, Timing(lengths=lengths))
    weight = torch.randn(u.shape, generator=subject.random(4)).double()
    worst = difference(y[padding], torch.zeros_like(y[padding]))
    total = torch.zeros((), dtype=u.dtype)
    clean = u.requires_grad_()
    for row, steps in enumerate(lengths.tolist()):
        own = None if state is None else rows(state, slice(row, row + 1))
        alone, end = run(subject.layer, clean[row : row + 1, :steps], own)
        worst = max(worst, difference(y[row : row + 1, :steps], alone))
        if subject.causal:
            own_end = rows(last, slice(row, row + 1))
            worst = max(worst, difference(own_end, end, subject.grows))
        total = total + (alone[0] * weight[row, :steps]).sum()
    leaves = list(subject.layer.parameters())
    expected = _gradients(total, [clean, *leaves])
    return max(worst, difference(_gradients((y * weight).sum(), [poisoned, *leaves]), expected))


@promise(VALUE)
def everything_at_once(subject: Subject, b: int, length: int) -> float:
    """A carried state, uneven dt, resets and lengths together give what the loop of step gives."""
    need_step(subject)
    need(subject, "dt", "resets", "lengths")
    u, state, timing = subject.inputs(b, length), subject.state(b), subject.timing(b, length)
    with torch.no_grad():
        together = run(subject.layer, u, state, timing)
        return difference(together, walk(subject.layer, u, state, timing))


@promise(VALUE)
def state_is_that_of_the_last_real_step(subject: Subject, b: int, length: int) -> float:
    """A padded row leaves the state of its last real step; a row without steps keeps its own."""
    need_step(subject)
    need(subject, "lengths")
    lengths = subject.timing(b, length).lengths
    assert lengths is not None
    u, state = subject.inputs(b, length), subject.state(b)
    with torch.no_grad():
        _, last = run(subject.layer, u, state, Timing(lengths=lengths))
        expected = state
        for t in range(length):
            _, after = subject.layer.step(u[:, t], expected)
            expected = where(t < lengths, after, expected)
    return difference(last, expected)


@promise(VALUE)
def causal(subject: Subject, b: int, length: int) -> float:
    """What comes later changes nothing earlier."""
    if not subject.causal:
        raise NotApplicable("the layer says that it is not causal")
    u, cut = subject.inputs(b, length), (length + 1) // 2
    changed = torch.cat([u[:, :cut], 10 * subject.inputs(b, length, salt=5)[:, cut:]], 1)
    with torch.no_grad():
        before, after = run(subject.layer, u)[0], run(subject.layer, changed)[0]
    return difference(after[:, :cut], before[:, :cut])


@promise(VALUE)
def rows_do_not_touch(subject: Subject, b: int, length: int) -> float:
    """A row gives the same output alone as in a batch, even beside a row of NaN."""
    u = subject.inputs(b + 1, length)
    u[-1] = torch.nan
    with torch.no_grad():
        y, state = run(subject.layer, u)
        alone, own = run(subject.layer, u[:-1])
    worst = difference(y[:-1], alone)
    return max(worst, difference(rows(state, slice(0, b)), own)) if subject.causal else worst


@promise(EXACT)
def arguments_are_left_alone(subject: Subject, b: int, length: int) -> float:
    """A call changes neither the input nor the state it is given, so a state can be forked."""
    u, state = subject.inputs(b, length), subject.state(b) if subject.causal else None
    before = [x.clone() for x in tensors((u, state))]
    with torch.no_grad():
        run(subject.layer, u, state)
    return difference((u, state), before)


def _gradients(loss: Tensor, inputs: list[Tensor]) -> tuple[Tensor, ...]:
    wanted = [x for x in inputs if x.requires_grad]
    if not loss.requires_grad:  # no row has a step, and an empty output may be a constant
        return tuple(torch.zeros_like(x) for x in wanted)
    return torch.autograd.grad(loss, wanted, allow_unused=True, materialize_grads=True)
