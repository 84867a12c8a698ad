"""Which execution a system may take, the reason for every no, and what "auto" picks."""

from __future__ import annotations

from torch import Tensor

from resolvent.structure import Diagonal
from resolvent.system import Discrete, Varying

EXECUTIONS = ("loop", "recur", "convolve", "chunk", "scan")


def why_illegal(system: Discrete, execution: str) -> str | None:
    """The reason why ``execution`` cannot run ``system``; None if it can.

    Raises:
        ValueError: the execution is unknown.
    """
    if execution not in EXECUTIONS:
        known = ", ".join(("auto", *EXECUTIONS))
        raise ValueError(f"execution: {execution!r} is unknown; choose one of {known}")
    if execution in ("convolve", "chunk") and isinstance(system, Varying):
        return f"'{execution}' needs a kernel that is the same at every step; this system varies"
    if execution == "scan" and not system.A.closed:
        return system.A.why_not_closed
    if execution == "recur" and not isinstance(system.A, Diagonal):
        return f"the fused kernel is diagonal, and A is {type(system.A).__name__}; use 'chunk'"
    return None


def choose(system: Discrete, u: Tensor) -> str:
    """The fastest legal execution measured on the device of ``u`` (benchmarks/execute)."""
    if u.shape[1] <= 1:
        return "loop"
    cuda = u.device.type == "cuda"
    if isinstance(system.A, Diagonal):
        if not cuda:
            return "recur"
        return "scan" if isinstance(system, Varying) or system.mimo else "convolve"
    if isinstance(system, Varying):
        return "scan" if system.A.closed else "loop"
    return "convolve" if cuda else "chunk"
