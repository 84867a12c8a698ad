"""Series for a trained run: read as in training, whether they are labelled or not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from resolvent.cli.reading import Reading, is_name

if TYPE_CHECKING:
    from resolvent.data import SeriesSet
    from resolvent.workflow import Run


def series_for(
    run: Run,
    source: str,
    split: Literal["train", "test", "all"],
    reading: Reading,
    labelled: bool,
) -> SeriesSet:
    """Read series that a run shall predict.

    Args:
        run: Its data section tells how its own training table was read.
        source: File, folder or name.
        split: The part of a named set.
        reading: What the user says about the file; nothing means: a table as in training.
        labelled: Whether labels are required. A table need not have the label column otherwise.

    Raises:
        DataError: The source cannot be read, or its channels are not those of the run.
    """
    from resolvent.data import DataError
    from resolvent.data.reader import is_table

    inherited = run.data.get("reading", {}) if is_table(source) else {}
    told = reading if reading != Reading() else Reading(**inherited)
    told = replace(told, task=run.target.kind)
    try:
        series = told.one(source, split)
    except DataError:
        if labelled or told.target is None or is_name(source):
            raise
        series = replace(told, target=None).one(source, split)
    run.check(series)
    return series
