"""One entry to all executions: what is common to them is done here, before and after."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from resolvent.execute.chunk import chunk
from resolvent.execute.convolve import convolve
from resolvent.execute.hold import held
from resolvent.execute.legality import choose, why_illegal
from resolvent.execute.recur import gated, is_bank, recur
from resolvent.execute.scan import scan
from resolvent.execute.step import loop
from resolvent.system import Discrete, Invariant
from resolvent.topology.padding import real_steps, zero_padding

_RUN: dict[str, Callable] = {
    "loop": loop,
    "convolve": convolve,
    "chunk": chunk,
    "scan": scan,
}


def run(
    system: Discrete,
    u: Tensor,
    h0: Tensor | None = None,
    *,
    resets: Tensor | None = None,
    lengths: Tensor | None = None,
    gate: Tensor | None = None,
    execution: str = "auto",
) -> tuple[Tensor, Tensor]:
    """Run a discrete system over a batch of sequences.

    Args:
        system: the system; shapes in :mod:`resolvent.system`.
        u: inputs (b, l, m, p), or (b, l, m, r, p) for a system with r writes a step; (b, l, m) is
            one channel a head.
        h0: initial states (b, m, n, p), or (b, m, n, 1) if mimo; zeros by default.
        resets: (b, l) bool, True where the past is dropped before the step (its input is kept).
        lengths: (b,) integers, right padding: later outputs are 0, and a row's final state is that
            of its last real step.
        gate: shaped like y; the outputs are y silu(gate) instead of y. Default: none.
        execution: one of ``EXECUTIONS``, or "auto" for what is fastest on the device of u.

    Returns:
        y (b, l, m, q), or (b, l, m) as u, and the final states, shaped like h0.

    Raises:
        ValueError: the execution is unknown, or illegal for this structure (the reason is given);
            h0 has another shape.
    """
    if execution == "auto":
        execution = choose(system, u)
    reason = why_illegal(system, execution)
    if reason:
        raise ValueError(f"execution: {execution!r} is illegal here: {reason}")
    fused = execution == "recur" and is_bank(system, u)
    if isinstance(system, Invariant) and not fused:
        system = held(system)
    if u.ndim == 3 and not (fused and u.numel()):
        one = None if gate is None else gate[..., None]
        marks = {"resets": resets, "lengths": lengths}
        y, h = run(system, u[..., None], h0, gate=one, execution=execution, **marks)
        return y.squeeze(-1), h
    if h0 is not None:
        channels = 1 if u.ndim == 3 else u.shape[-1]
        _check_state(h0, (u.shape[0], *system.state_shape(channels)))
    if u.numel() == 0:  # no rows or no steps
        y = gated(system.skip(u.sum(3) if system.writes else u, u), gate)
        return y, system.initial_state(u) if h0 is None else h0
    # padding may hold anything, even NaN: it is cleared here, before and after, for all executions
    real = None if lengths is None else real_steps(lengths, u.shape[1])
    u = zero_padding(u, real)
    if execution == "recur":  # which is told if there is no state
        y, h = recur(system, u, h0, resets, lengths, gate)
    else:
        h0 = system.initial_state(u) if h0 is None else h0
        y, h = _RUN[execution](system, u, h0, resets, lengths)
        y = gated(y, gate)
    return zero_padding(y, real), h


def _check_state(h0: Tensor, shape: tuple[int, ...]) -> None:
    if h0.shape != shape:
        raise ValueError(
            f"h0: expected shape {shape}, got {tuple(h0.shape)}; pass a state of the same layer "
            "and the same number of rows"
        )
