"""Where series come from: a name, a file or a folder, and which column of a table is what."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from resolvent.data import SeriesSet

Kind = Literal["classification", "regression"]


@dataclass(frozen=True)
class Reading:
    """How a table is read; usual names of columns (label, id, time, subject) need not be told.

    Attributes:
        target: Column with the label: words and whole numbers are classes, fractions are numbers.
        id: Column that says which series a row belongs to; the table is then long.
        time: Column that orders the rows of a series.
        group: Column with the subject, speaker or machine; groups stay together in splits.
        channels: Columns with the values; None: all that play no other part.
        layout: "long" (a row a time step) or "wide" (a row a series).
        pattern: File names in a folder of .wav files, such as {label}_{group}_{index}.wav.
        task: Read whole-number labels as numbers, or as classes.
    """

    target: str | None = None
    id: str | None = None
    time: str | None = None
    group: str | None = None
    channels: tuple[str, ...] | None = None
    layout: Literal["auto", "long", "wide"] = "auto"
    pattern: str | None = None
    task: Kind | None = None

    def options(self) -> dict[str, Any]:
        """Keywords of `resolvent.data.read`, without those left alone."""
        told = {key: value for key, value in asdict(self).items() if key != "task"}
        return {key: value for key, value in told.items() if value not in (None, "auto")}

    def one(self, source: str, split: Literal["train", "test", "all"]) -> SeriesSet:
        """Series from a file, a folder, or by name; `split` is the part of a named set.

        Raises:
            DataError: The source cannot be read.
        """
        from resolvent.data import named, read
        from resolvent.workflow import with_task

        series = named(source, split) if is_name(source) else read(source, **self.options())
        return with_task(series, self.task)

    def pair(self, source: str, test: str | None) -> tuple[SeriesSet, SeriesSet | None]:
        """A training set and its test set: the archive's own, NAME_TEST beside NAME_TRAIN, or told.

        Raises:
            DataError: A source cannot be read, or the two have different channels.
        """
        from resolvent.data import read_split
        from resolvent.workflow import with_task

        if test is not None:
            return self.one(source, "train"), self.one(test, "test")
        if is_name(source):
            return self.one(source, "train"), self.one(source, "test")
        if self.options():
            return self.one(source, "train"), None
        both = read_split(source)
        return with_task(both[0], self.task), both[1] and with_task(both[1], self.task)


def is_name(source: str) -> bool:
    """Whether a source names a known set; a file of that name has precedence.

    Raises:
        DataError: It is neither a file nor a name, but nearly a name.
    """
    from resolvent.data import NAMED, DataError

    name, path = source.lower(), Path(source)
    if path.exists() or name in NAMED:
        return not path.exists()
    if not path.suffix and (close := get_close_matches(name, NAMED, 1)):
        raise DataError(f"{source}: no such file, and no set of that name; is it {close[0]}?")
    return False
