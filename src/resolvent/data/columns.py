"""Which column of a table plays which part, as told or as the names of the columns suggest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from resolvent.data.errors import DataError, show

Layout = Literal["auto", "long", "wide"]

PARTS = ("target", "id", "time", "group")
USUAL = {
    "target": {"label", "target", "class"},
    "id": {"id", "series", "series_id", "case", "case_id"},
    "time": {"time", "t", "timestamp", "datetime", "date", "step"},
    "group": {"group", "subject", "speaker", "patient"},
}
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf)", re.IGNORECASE)


@dataclass(frozen=True)
class Columns:
    """Which column of a table plays which part; None leaves it to the names of the columns.

    Attributes:
        target: The label.
        id: Which series a row belongs to (long form).
        time: What orders the rows of a series (long form).
        group: Subject, speaker or machine, for splits that keep groups together.
        channels: The values, in this order; None takes every column without another part.
        layout: "long" (a row a time step), "wide" (a row a series), or "auto".
    """

    target: str | None = None
    id: str | None = None
    time: str | None = None
    group: str | None = None
    channels: Sequence[str] | None = None
    layout: Layout = "auto"

    def __post_init__(self) -> None:
        if isinstance(self.channels, str):
            raise DataError(f"found channels={show(self.channels)}; expected a list of columns")

    def resolve(self, names: Sequence[str]) -> Columns:
        """Decide every part for a table with these column names.

        A table is long when it has an id and a time column, wide when it has neither; with only
        one of them it could be either, and the user has to say.

        Args:
            names: Names of the columns, in order.

        Returns:
            The same with `layout` "long" or "wide" and `channels` complete.

        Raises:
            DataError: When names are missing, doubled or unknown, or a part is ambiguous; the
                message says which keyword to give.
        """
        if self.layout not in ("auto", "long", "wide"):
            raise DataError(f"found layout={show(self.layout)}; expected 'auto', 'long' or 'wide'")
        _check_names(names)
        told = self._told(names)
        guessed = {part: _guess(part, names, told) for part in PARTS if told[part] is None}
        layout = self._layout(guessed)
        parts = told | guessed
        if layout == "wide" and self.time is not None:
            raise DataError("found time= with layout='wide'; expected it only for long tables")
        used = {part for part in parts.values() if part is not None}
        channels = tuple(self.channels or (name for name in names if name not in used))
        if not channels:
            raise DataError("found no column left for the values; expected at least one")
        return replace(self, **parts, channels=channels, layout=layout)

    def _told(self, names: Sequence[str]) -> dict[str, str | None]:
        """Return the parts the user named, after checking that the columns are there."""
        told = {part: getattr(self, part) for part in PARTS}
        wanted = [name for name in told.values() if name is not None] + list(self.channels or ())
        for name in wanted:
            if name not in names:
                raise DataError(
                    f"found no column {show(name)}; expected one of {show(list(names), 120)}"
                )
            if wanted.count(name) > 1:
                raise DataError(f"found column {show(name)} in two parts; expected one each")
        return told

    def _layout(self, guessed: dict[str, str | None]) -> Layout:
        if self.layout != "auto":
            return self.layout
        if self.id is not None or self.time is not None:
            return "long"
        found = [guessed["id"], guessed["time"]]
        if all(found):
            return "long"
        if not any(found):
            return "wide"
        lone, other = ("id", "time") if guessed["id"] else ("time", "id")
        raise DataError(
            f"found column {show(guessed[lone])} but no {other}: is a row a step or a series? "
            f"Give {other}=... or layout='long' for steps, layout='wide' for series"
        )


def _guess(part: str, names: Sequence[str], told: dict[str, str | None]) -> str | None:
    """Return the only column with a usual name for the part, or None."""
    taken = set(told.values())
    found = [name for name in names if name.lower() in USUAL[part] and name not in taken]
    if len(found) > 1:
        raise DataError(
            f"found columns {show(found, 80)}, each a usual name for the {part}; give {part}=..."
        )
    return found[0] if found else None


def _check_names(names: Sequence[str]) -> None:
    seen: set[str] = set()
    for position, name in enumerate(names, 1):
        if not name.strip():
            raise DataError(
                f"header: column {position} has no name; expected one for each; name it (pandas: "
                "save with index=False)"
            )
        if name in seen:
            raise DataError(f"header: found column {show(name)} twice; expected each name once")
        seen.add(name)
    counted = [str(i) for i in range(len(names))]  # the names pandas gives to a plain array
    if all(NUMBER.fullmatch(name) for name in names) and list(names) != counted:
        raise DataError(
            f"header: found only numbers ({show(names[0])}, ...); expected names of columns; add a "
            "first line with names"
        )
