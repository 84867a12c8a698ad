"""How a discrete system runs. Every execution computes the same thing, and sees only the system.

loop      the definition, step by step
recur     that loop fused into one kernel (diagonal)
convolve  FFT with the system's kernel (invariant)
chunk     matrix products of tile size (invariant)
scan      associative scan (closed structures)
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from resolvent.execute.chunk import chunk
from resolvent.execute.convolve import convolve
from resolvent.execute.legality import EXECUTIONS, choose, why_illegal
from resolvent.execute.recur import recur
from resolvent.execute.scan import scan
from resolvent.execute.step import loop, step
from resolvent.system import Discrete

_RUN: dict[str, Callable] = {
    "loop": loop,
    "recur": recur,
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
    execution: str = "auto",
) -> tuple[Tensor, Tensor]:
    """Run a discrete system over a batch of sequences.

    Args:
        system: the system; shapes in :mod:`resolvent.system`.
        u: inputs (b, l, m, p).
        h0: initial states (b, m, n, p), or (b, m, n, 1) if mimo; zeros by default.
        resets: (b, l) bool, True where the past is dropped before the step (its input is kept).
        lengths: (b,) integers, right padding: later outputs are 0, and a row's final state is that
            of its last real step.
        execution: one of ``EXECUTIONS``, or "auto" for the fastest measured on the device of u.

    Returns:
        y (b, l, m, q) and the final states, shaped like h0.

    Raises:
        ValueError: the execution is unknown, or illegal for this structure (the reason is given).
    """
    if execution == "auto":
        execution = choose(system, u)
    reason = why_illegal(system, execution)
    if reason:
        raise ValueError(f"execution: {execution!r} is illegal here: {reason}")
    if lengths is not None:  # padding may hold anything, even NaN
        real = torch.arange(u.shape[1], device=u.device) < lengths[:, None]
        u = torch.where(real[..., None, None], u, torch.zeros_like(u))
    if h0 is None:
        h0 = u.new_zeros(u.shape[0], *system.state_shape(u.shape[-1]), dtype=system.A.dtype)
    return _RUN[execution](system, u, h0, resets, lengths)


__all__ = ["EXECUTIONS", "choose", "loop", "run", "step", "why_illegal"]
