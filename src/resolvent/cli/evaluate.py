"""`resolvent evaluate`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from tyro.conf import OmitArgPrefixes, Positional, arg

from resolvent.cli.reading import Reading
from resolvent.cli.source import series_for


@dataclass(frozen=True)
class Command:
    """Score a run on labelled series.

    Attributes:
        folder: The run.
        source: File, folder, or name of a known set.
        split: The part of a known set.
        json: Print one JSON object instead of lines.
        reading: Which column of a table is what; by default as in training.
    """

    EXAMPLES: ClassVar[str] = """examples:
  resolvent evaluate runs/gunpoint gunpoint
  resolvent evaluate runs/machines later.csv --json"""

    folder: Annotated[Positional[Path], arg(metavar="RUN")]
    source: Annotated[Positional[str], arg(metavar="SOURCE")]
    split: Literal["train", "test", "all"] = "test"
    json: bool = False
    reading: OmitArgPrefixes[Reading] = field(default_factory=Reading)

    def run(self) -> int:
        """Predict, compare, print."""
        import json

        from resolvent.workflow import load_run

        run = load_run(self.folder)
        series = series_for(run, self.source, self.split, self.reading, labelled=True)
        scores = run.evaluate(series).scores
        if self.json:
            print(json.dumps(scores))
        else:
            print(f"{len(series)} series of {series.name}")
            print("\n".join(f"{name:20}{value:.4g}" for name, value in scores.items()))
        return 0
