"""`resolvent predict`."""

from __future__ import annotations

import csv
import io
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from tyro.conf import OmitArgPrefixes, Positional, arg

from resolvent.cli.errors import Usage
from resolvent.cli.reading import Reading
from resolvent.cli.source import series_for

if TYPE_CHECKING:
    from resolvent.data import SeriesSet
    from resolvent.workflow import Run


@dataclass(frozen=True)
class Command:
    """Predict every series of a file: labels with probabilities, or numbers.

    Each is named as the file names it: by the id of a long table, by the name of a .wav file.

    Attributes:
        folder: The run.
        source: File, folder, or name of a known set; labels are not needed.
        out: A .csv or .jsonl file, written whole or not at all; by default CSV on standard output.
        split: The part of a known set.
        reading: Which column of a table is what; by default as in training.
    """

    EXAMPLES: ClassVar[str] = """examples:
  resolvent predict runs/gunpoint gunpoint --split test
  resolvent predict runs/machines new.csv --out predictions.jsonl"""

    folder: Annotated[Positional[Path], arg(metavar="RUN")]
    source: Annotated[Positional[str], arg(metavar="SOURCE")]
    out: Path | None = None
    split: Literal["train", "test", "all"] = "test"
    reading: OmitArgPrefixes[Reading] = field(default_factory=Reading)

    def run(self) -> int:
        """Predict and write."""
        from resolvent.atomic import write_atomic
        from resolvent.workflow import load_run

        write = _writer(self.out)
        run = load_run(self.folder)
        series = series_for(run, self.source, self.split, self.reading, labelled=False)
        text = write(_rows(run, series))
        if self.out is None:
            sys.stdout.write(text)
        else:
            write_atomic(self.out, text)
            print(f"{len(series)} predictions in {self.out}", file=sys.stderr)
        return 0


def _rows(run: Run, series: SeriesSet) -> list[dict[str, Any]]:
    """One row a series: its number, id and label if known, the prediction, probabilities."""
    output = run.output(series)
    predicted, probabilities = run.target.decode(output), run.target.probabilities(output)
    rows = []
    for i, value in enumerate(predicted.tolist()):
        row: dict[str, Any] = {"series": i}
        if series.ids is not None:
            row["id"] = series.ids[i].item()
        if series.y is not None:
            row["label"] = series.y[i].item()
        row["prediction"] = value
        if probabilities is not None and run.target.encoding is not None:
            for label, p in zip(run.target.encoding.classes, probabilities[i], strict=True):
                row[f"p({label})"] = round(float(p), 6)
        rows.append(row)
    return rows


def _writer(out: Path | None):
    """The function that turns rows into the text of a file of this kind."""
    kind = ".csv" if out is None else out.suffix.lower()
    if kind not in (".csv", ".jsonl"):
        raise Usage(f"--out: expected a file ending in .csv or .jsonl, got {out}")
    return _as_csv if kind == ".csv" else _as_jsonl


def _as_csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _as_jsonl(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)
