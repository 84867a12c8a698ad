"""Which execution a system may take, the reason for every no, and what "auto" picks."""

from __future__ import annotations

from torch import Tensor

from resolvent.structure import Diagonal
from resolvent.system import Discrete, Varying

EXECUTIONS = ("loop", "recur", "convolve", "chunk", "scan")


def check_name(execution: str) -> None:
    """Refuse what is neither an execution nor "auto".

    Raises:
        ValueError: the name is unknown.
    """
    known = ("auto", *EXECUTIONS)
    if execution not in known:
        raise ValueError(f"execution: {execution!r} is unknown; choose one of {', '.join(known)}")


def why_illegal(system: Discrete, execution: str) -> str | None:
    """The reason why ``execution`` cannot run ``system``; None if it can.

    Raises:
        ValueError: the execution is unknown.
    """
    check_name(execution)
    if execution in ("convolve", "chunk") and isinstance(system, Varying):
        return f"'{execution}' needs a kernel that is the same at every step; this system varies"
    A = system.form
    if execution == "scan" and not A.closed:
        return f"{A.why_not_closed}; use 'auto'"
    if execution == "recur" and not isinstance(A, Diagonal):
        return f"the fused kernel is diagonal, and A is {type(A).__name__}; use 'auto'"
    return None


def choose(system: Discrete, u: Tensor) -> str:
    """The fastest legal execution; on CPUs as measured by benchmarks/bench_execute.py."""
    if u.shape[1] <= 1:
        return "loop"
    cuda = u.device.type == "cuda"
    if isinstance(system.form, Diagonal):
        if not cuda:
            return "recur"
        return "scan" if isinstance(system, Varying) or system.mimo else "convolve"
    if isinstance(system, Varying):
        return "scan" if system.form.closed else "loop"
    return "convolve" if cuda else "chunk"
