"""`resolvent verify`."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from tyro.conf import Positional, arg

from resolvent.cli.errors import Usage

if TYPE_CHECKING:
    from resolvent.contract import Report, Row


@dataclass(frozen=True)
class Command:
    """Hold a layer to the contract: forward, step, chunks, packing, padding, gradients, precision.

    The layer is any torch module with forward(u, state=None) -> (y, state), step and initial_state;
    what it does not take is not held against it. The exit code is 1 if a promise is broken.

    Attributes:
        layer: FILE.py:CLASS or package.module:CLASS; its first argument is the number of features.
        set: Further arguments of the class, as name=value.
        d_model: Number of features to test at.
        seed: Decides weights and inputs.
    """

    EXAMPLES: ClassVar[str] = """examples:
  resolvent verify my_layer.py:MyLayer
  resolvent verify resolvent.layers:S4D --set d_state=8 init=lin"""

    layer: Annotated[Positional[str], arg(metavar="FILE.py:CLASS")]
    set: tuple[str, ...] = ()
    d_model: int = 3
    seed: int = 0

    def run(self) -> int:
        """Measure every promise and print the table."""
        from resolvent.contract import load_layer, verify

        factory = load_layer(self.layer, dict(_setting(text) for text in self.set))
        factory(self.d_model)  # a layer that cannot even be built is an error, not a broken promise
        report = verify(factory, d_model=self.d_model, seed=self.seed)
        _print(report)
        return 0 if report.held else 1


def _setting(text: str) -> tuple[str, Any]:
    """name=value, the value as Python writes it, or else a word."""
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise Usage(f"--set: expected name=value, got {text!r}")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


def _print(report: Report) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("promise", "held", "error", "allowed", "")
    for row in report.rows:
        table.add_row(row.promise, *_cells(row))
    console = Console()
    console.print(table)
    applied = [row for row in report.rows if row.held is not None]
    kept = len(applied) - len(report.broken)
    console.print(
        f"{kept} of {len(applied)} promises held; "
        f"{len(report.rows) - len(applied)} do not apply to this layer",
        highlight=False,
    )


def _cells(row: Row) -> tuple[str, str, str, str]:
    held = {True: "yes", False: "NO", None: "-"}[row.held]
    error = "" if row.error is None else f"{row.error:.1e}"
    allowed = "" if row.held is None else f"{row.tolerance.bound:.0e}"
    return held, error, allowed, row.note or row.meaning
