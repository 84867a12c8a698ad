"""How fast the ops run here, beside others and beside what the machine can do.

Every case is first held to a reference in float64; what is wrong is not timed. Times are medians of
calls that take turns. `CASES` names what can be run; a new op adds a function that yields cases.
"""

from collections.abc import Callable, Iterator

from resolvent.bench import layers, ops
from resolvent.bench.case import Call, Case, Row, check, of_module, run
from resolvent.bench.measure import Machine, limits, medians
from resolvent.bench.table import columns, head, heading, line, table

CASES: dict[str, Callable[[], Iterator[Case]]] = {
    "diagonal_ssm": ops.diagonal_ssms,
    "diagonal_mimo": ops.diagonal_mimos,
    "diagonal_scan": ops.diagonal_scans,
    "zoh": ops.holds,
    "selective_scan": ops.selective_scans,
    "short_convolution": ops.short_convolutions,
    "long_convolution": ops.long_convolutions,
    "matrix_scan": ops.matrix_scans,
    "delta_rule": ops.delta_rules,
    "recurrent_layers": layers.recurrent_layers,
}
"""The cases of each op, made when they are asked for."""


def about(name: str) -> str:
    """What the cases called ``name`` are, in a line."""
    return (CASES[name].__doc__ or name).splitlines()[0]


__all__ = [
    "CASES",
    "Call",
    "Case",
    "Machine",
    "Row",
    "about",
    "check",
    "columns",
    "head",
    "heading",
    "limits",
    "line",
    "medians",
    "of_module",
    "run",
    "table",
]
