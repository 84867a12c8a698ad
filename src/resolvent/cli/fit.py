"""`resolvent fit`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from tyro.conf import OmitArgPrefixes, Positional, arg

from resolvent.choices import Choices
from resolvent.cli.errors import Usage
from resolvent.cli.reading import Reading

if TYPE_CHECKING:
    from resolvent.workflow import Fitted


@dataclass(frozen=True)
class Command:
    """Train a model on series, and write a run folder with weights, metrics and report.html.

    SOURCE is a .ts file (NAME_TEST.ts beside NAME_TRAIN.ts becomes the test set), a CSV or Parquet
    table, an .npz, a folder of .wav files, or the name of a known set. An interrupted run goes on
    where it stopped when the same command is given again.

    Attributes:
        source: File, folder or name.
        test: A test set, scored at the end and used for nothing else.
        out: The run folder; by default runs/ and the name of the data.
        overwrite: Delete the run that is there.
        quiet: Show no progress.
        list: List the sets that come by name.
        reading: Which column of a table is what.
        choices: The model and how it is trained.
    """

    EXAMPLES: ClassVar[str] = """examples:
  resolvent fit --list
  resolvent fit watch --epochs 30
  resolvent fit Gestures_TRAIN.ts --model s4d --out runs/gestures
  resolvent fit machines.csv --target fault --id run --time t --group machine
  resolvent fit prices.csv --target demand --task regression --layout wide"""

    source: Annotated[Positional[str | None], arg(metavar="SOURCE")] = None
    test: str | None = None
    out: Path | None = None
    overwrite: bool = False
    quiet: bool = False
    list: bool = False
    reading: OmitArgPrefixes[Reading] = field(default_factory=Reading)
    choices: OmitArgPrefixes[Choices] = field(default_factory=Choices)

    def run(self) -> int:
        """Train, score, report."""
        if self.list:
            return _list_names()
        if self.source is None:
            raise Usage("SOURCE is missing: give a file or a name (see resolvent fit --list)")
        from resolvent import workflow
        from resolvent.report import write_report

        train, test = self.reading.pair(self.source, self.test)
        folder = self.out or Path("runs") / (train.name or "run")
        fitted = workflow.fit(
            train,
            self.choices,
            test=test,
            folder=folder,
            overwrite=self.overwrite,
            source=self.source,
            reading=self.reading.options(),
            quiet=self.quiet,
        )
        page = write_report(fitted, train)
        workflow.finish(fitted)
        print(_summary(fitted, folder, page))
        return 0


def _summary(fitted: Fitted, folder: Path, page: Path) -> str:
    lines = [f"{part} {metric}: {value:.4g}" for part, metric, value in fitted.headlines]
    lines.append(f"{fitted.result.status} after {fitted.result.step} steps")
    return "\n".join([*lines, f"run     {folder}", f"report  {page}"])


def _list_names() -> int:
    from rich.console import Console
    from rich.table import Table

    from resolvent.data import NAMED

    table = Table("name", "what", "train/test", "length", "channels", "classes", "comes with")
    for name, entry in NAMED.items():
        n, length = "/".join(map(str, entry.n)), "..".join(map(str, sorted(set(entry.length))))
        kinds = str(entry.classes or "regression")
        cells = (n, length, str(entry.channels), kinds, entry.requirement)
        table.add_row(name, entry.description, *cells)
    Console().print(table)
    return 0
