"""Which execution a system may take, the reason for every no, and what "auto" picks."""

from __future__ import annotations

from torch import Tensor

from resolvent.execute.matrix import why_not_matrix
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
    A, varying = system.form, isinstance(system, Varying)
    if execution == "convolve" and varying:
        return "'convolve' needs a kernel that is the same at every step; this system varies"
    if execution == "chunk" and varying:
        return why_not_matrix(system)
    if execution == "scan" and not A.closed:
        return f"{A.why_not_closed}; use 'auto'"
    if execution == "recur" and not isinstance(A, Diagonal):
        return why_not_matrix(system)
    return None


def choose(system: Discrete, u: Tensor) -> str:
    """The fastest legal execution; on CPUs as measured by benchmarks/bench_execute.py."""
    if u.shape[1] <= 1:
        return "loop"
    cuda = u.device.type == "cuda"
    if isinstance(system.form, Diagonal):
        if not cuda:
            return "recur"
        if isinstance(system, Varying):
            return "scan" if u.shape[-1] == 1 or why_not_matrix(system) else "chunk"
        return "scan" if system.mimo else "convolve"
    if isinstance(system, Varying):
        if why_not_matrix(system) is None:
            return "chunk" if cuda else "recur"
        return "scan" if system.form.closed else "loop"
    return "convolve" if cuda else "chunk"
