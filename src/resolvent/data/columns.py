"""Which column of a table plays which part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Layout = Literal["auto", "long", "wide"]


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
