"""`resolvent stream`."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, ClassVar, Literal

from tyro.conf import Positional, arg

from resolvent.cli.rows import LONGEST, RowError, RowReader

if TYPE_CHECKING:
    from resolvent.workflow import Prediction, RunStream


@dataclass(frozen=True)
class Command:
    """Read rows, one time step a line, and print a prediction after each of them.

    Rows are CSV. A first line with the names of the channels may have them in any order and other
    columns between; without it, rows hold the channels in the order of training. Empty cells, nan
    and ? are missing values. An empty line starts a new series. Memory stays the same however long
    the stream is, and every prediction equals that of the parallel model on the rows so far.

    Attributes:
        folder: The run.
        input: A file, or - for standard input.
        format: Of the predictions: row, prediction, and probability of the predicted class.
        reset_on: A column; whenever its value changes, a new series starts.
        skip_malformed: Leave out rows that cannot be read, and count them, instead of stopping.
        load_state: Continue from this file.
        save_state: Write the state at the end of the stream to this file.
    """

    EXAMPLES: ClassVar[str] = """examples:
  tail -f sensor.csv | resolvent stream runs/machines
  resolvent stream runs/machines --input day1.csv --save-state day1.state
  resolvent stream runs/machines --input day2.csv --load-state day1.state --format jsonl"""

    folder: Annotated[Positional[Path], arg(metavar="RUN")]
    input: str = "-"
    format: Literal["csv", "jsonl"] = "csv"
    reset_on: str | None = None
    skip_malformed: bool = False
    load_state: Path | None = None
    save_state: Path | None = None

    def run(self) -> int:
        """Stream until the input ends."""
        import torch

        from resolvent.workflow import load_run

        torch.set_num_threads(1)  # a step is far too small to share
        run = load_run(self.folder)
        stream = run.stream()
        if self.load_state is not None:
            try:
                stream.load(self.load_state)
            except ValueError as error:
                raise ValueError(f"--load-state: {error}") from error
        try:
            with _lines(self.input) as file:
                self._pump(file, RowReader(run.data["channels"], self.reset_on), stream)
        finally:
            if self.save_state is not None:
                stream.save(self.save_state)
        return 0

    def _pump(self, file: IO[str], reader: RowReader, stream: RunStream) -> None:
        """Rows in, predictions out, as they come."""
        show = _as_jsonl if self.format == "jsonl" else _as_csv
        count = skipped = 0
        for line in iter(lambda: file.readline(LONGEST), ""):
            try:
                row = reader.read(line)
            except RowError:
                if not self.skip_malformed:
                    raise
                skipped += 1
                continue
            if row is not None:
                if row.starts:
                    stream.reset()
                count += 1
                print(show(count, stream.push(row.values)), flush=True)
        if skipped:
            print(
                f"resolvent: {skipped} malformed row{'s' * (skipped > 1)} left out", file=sys.stderr
            )


def _as_csv(row: int, prediction: Prediction) -> str:
    if prediction.probabilities is None:
        return f"{row},{prediction.value:.9g}"
    label = str(prediction.value)
    if any(c in label for c in ',"\r\n'):
        label = '"' + label.replace('"', '""') + '"'
    return f"{row},{label},{prediction.probabilities.max():.6f}"


def _as_jsonl(row: int, prediction: Prediction) -> str:
    said = {"row": row, "prediction": prediction.value.item()}
    if prediction.probabilities is not None:
        said["probability"] = round(float(prediction.probabilities.max()), 6)
    return json.dumps(said)


@contextmanager
def _lines(name: str) -> Iterator[IO[str]]:
    """A text file, or standard input, in which bytes that are not UTF-8 become malformed cells."""
    if name != "-":
        with open(name, encoding="utf-8-sig", errors="replace") as file:
            yield file
        return
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8-sig", errors="replace")
    yield sys.stdin
