"""Lines of a stream to rows of numbers."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from typing import NamedTuple

from resolvent.cli.errors import Usage

LONGEST = 1 << 20
"""Characters of the longest line that is read."""

MISSING = frozenset({"", "nan", "na", "null", "none", "?"})


class RowError(ValueError):
    """A line that is no row; the message names the line."""


class Row(NamedTuple):
    """One time step.

    Attributes:
        values: One number a channel, NaN where missing.
        starts: Whether a new series starts here.
    """

    values: list[float]
    starts: bool


class RowReader:
    """Reads a stream line by line; the first line decides about delimiter and order.

    Args:
        channels: Names of the channels, in the order of training.
        reset_on: Column that starts a new series when its value changes, or None.
    """

    def __init__(self, channels: Sequence[str], reset_on: str | None = None):
        self._channels, self._reset_on = list(channels), reset_on
        self._line = 0
        self._delimiter = ""
        self._columns: list[int] = list(range(len(channels)))
        self._width = len(self._columns)
        self._key_column: int | None = None
        self._key: str | None = None
        self._pending = False

    def read(self, line: str) -> Row | None:
        """The row of the next line; None for a header and for an empty line.

        Raises:
            RowError: The line is malformed.
            Usage: The first line holds names, and not all that are needed.
        """
        self._line += 1
        if not line.strip():
            self._pending = True
            return None
        if len(line) >= LONGEST:
            raise self._error(f"found more than {LONGEST} characters; expected one short row")
        if not self._delimiter:
            self._delimiter = max(",;\t", key=line.count)
            if self._takes_header(self._cells(line)):
                return None
        cells = self._cells(line)
        if len(cells) != self._width:
            raise self._error(f"found {len(cells)} cells; expected {self._width}")
        values = [
            self._number(cells[i], name)
            for i, name in zip(self._columns, self._channels, strict=True)
        ]
        starts = self._pending
        if self._key_column is not None:
            key = cells[self._key_column]
            starts = starts or self._key not in (None, key)
            self._key = key
        self._pending = False
        return Row(values, starts)

    def _takes_header(self, cells: list[str]) -> bool:
        """Whether the first line holds names; remember where each channel is."""
        if all(_is_number(cell) for cell in cells):
            if self._reset_on is not None:
                raise Usage(f"line {self._line}: found no names; --reset-on needs a header")
            return False
        wanted = self._channels + ([] if self._reset_on is None else [self._reset_on])
        for name in wanted:
            if name not in cells:
                raise Usage(
                    f"line {self._line}: found no column {name!r} in the header; expected "
                    f"{', '.join(wanted)}"
                )
        self._columns = [cells.index(name) for name in self._channels]
        self._width = len(cells)
        if self._reset_on is not None:
            self._key_column = cells.index(self._reset_on)
        return True

    def _cells(self, line: str) -> list[str]:
        try:
            cells = next(csv.reader([line], delimiter=self._delimiter, strict=True))
        except (csv.Error, StopIteration) as error:
            raise self._error(f"not CSV ({error})") from error
        return [cell.strip() for cell in cells]

    def _number(self, cell: str, name: str) -> float:
        if cell.lower() in MISSING:
            return math.nan
        if _is_number(cell):
            return float(cell)
        raise self._error(f"found {cell[:40]!r} in channel {name}; expected a number")

    def _error(self, text: str) -> RowError:
        return RowError(f"line {self._line}: {text}; --skip-malformed leaves such rows out")


def _is_number(cell: str) -> bool:
    try:
        return abs(float(cell)) <= 3.4e38 if cell.lower() not in MISSING else True
    except ValueError:
        return False
