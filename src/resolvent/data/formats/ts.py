"""The `.ts` text format of the UCR and UEA archives of time-series classification and regression.

A header of `@tag value` lines ends with `@data`; then one series a line: channels separated by
colons, values by commas, the label last.

    @problemName Example
    @univariate false
    @equalLength false
    @classLabel true walk run
    @data
    0.1,0.2,?:1.0,1.1,1.2:walk
    0.3,0.4:1.3,1.4:run

With `@timeStamps true` every value is written (stamp,value). Comments start with `#` or `%`.
Format: https://www.aeon-toolkit.org/en/stable/api_reference/file_specifications/ts.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from resolvent.data.errors import DataError, show
from resolvent.data.formats.stamps import sortable
from resolvent.data.series import LONGEST_LABEL, SeriesSet, as_series

PAIR = re.compile(r"\(([^(),]+),([^(),]*)\)")
CHANNEL_END = re.compile(r"\)\s*:")
FLAGS = ("timestamps", "missing", "univariate", "equallength")
COUNTS = ("dimensions", "serieslength")


@dataclass
class Header:
    """What the tags say; None where a tag is absent."""

    name: str = "series"
    flags: dict[str, bool] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    label: Literal["class", "target", "none", "unknown"] = "unknown"
    classes: tuple[str, ...] = ()


def parse(data: bytes) -> SeriesSet:
    """Parse the contents of a `.ts` file.

    Values `?` and `NaN` are missing. Class labels stay strings as the header spells them; targets
    become floats. Time stamps order the values of a series and are then dropped.

    Args:
        data: The bytes of the file; UTF-8, or Latin-1 where that fails.

    Returns:
        The series, named after the problem.

    Raises:
        DataError: Names the line, what it holds and what was expected.
    """
    lines = _lines(data)
    header = _header(lines)
    stamped = header.flags.get("timestamps", False)
    channels = _stamped_channels if stamped else _plain_channels
    X: list[np.ndarray] = []
    labels: list[str | float] = []
    for number, line in lines:
        where = f"line {number}"
        fields = _split_stamped(line) if stamped else line.split(":")
        if header.label != "none":
            labels.append(_label(fields.pop(), header, where))
        rows = channels(fields, where)
        _check(rows, X, header, where)
        X.append(as_series(np.stack(rows, axis=1), where))
    if not X:
        raise DataError("found no series after @data; expected one a line")
    y = None if header.label == "none" else np.array(labels, dtype=object)
    return SeriesSet(X, y, name=header.name)


def _lines(data: bytes) -> Iterator[tuple[int, str]]:
    """Yield (line number, text) without blank lines and comments."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    for number, raw in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        line = raw.strip()
        if line and line[0] not in "#%":
            yield number, line


def _header(lines: Iterator[tuple[int, str]]) -> Header:
    header = Header()
    for number, line in lines:
        where = f"line {number}"
        if line[0] != "@":
            raise DataError(
                f"{where}: found {show(line)} before @data; expected a line that starts with "
                "'@', '#' or '%'"
            )
        tag, *values = line.split()
        tag = tag[1:].lower()
        if tag == "data":
            if header.label == "unknown":
                raise DataError(
                    f"{where}: found neither @classLabel nor @targetLabel; expected one of them; "
                    "add '@classLabel false' for series without labels"
                )
            return header
        _read_tag(header, tag, values, where)
    raise DataError("found no @data line; expected a .ts header that ends with one")


def _read_tag(header: Header, tag: str, values: list[str], where: str) -> None:
    """Store one tag; tags that say nothing about how rows are read are skipped."""
    if tag == "problemname" and values:
        header.name = values[0][:LONGEST_LABEL]
    elif tag in FLAGS:
        header.flags[tag] = _flag(tag, values, where)
    elif tag in COUNTS:
        if len(values) != 1 or not values[0].isdecimal() or len(values[0]) > 12:
            raise DataError(f"{where}: found @{tag} {show(' '.join(values))}; expected one integer")
        header.counts[tag] = int(values[0])
    elif tag in ("classlabel", "targetlabel"):
        _read_label_tag(header, tag, values, where)


def _read_label_tag(header: Header, tag: str, values: list[str], where: str) -> None:
    present = _flag(tag, values[:1], where)
    if not present:
        if header.label == "unknown":
            header.label = "none"
        return
    if header.label in ("class", "target"):
        raise DataError(f"{where}: found a second label tag @{tag}; expected one; delete it")
    header.label = "class" if tag == "classlabel" else "target"
    header.classes = tuple(values[1:]) if header.label == "class" else ()
    if header.label == "class" and not header.classes:
        raise DataError(
            f"{where}: found @classLabel true without classes; expected them after 'true'; "
            "write for example '@classLabel true a b'"
        )


def _flag(tag: str, values: list[str], where: str) -> bool:
    word = values[0].lower() if len(values) == 1 else ""
    if word not in ("true", "false"):
        raise DataError(f"{where}: found @{tag} {show(' '.join(values))}; expected true or false")
    return word == "true"


def _split_stamped(line: str) -> list[str]:
    """Split a row of (stamp,value) pairs at the colons between channels, not those of clocks."""
    *channels, last = CHANNEL_END.split(line)
    return [f"{channel})" for channel in channels] + [last]


def _plain_channels(fields: list[str], where: str) -> list[np.ndarray]:
    if not fields:
        raise DataError(f"{where}: found no ':'; expected values, then ':' and a label")
    return [
        _numbers(text.split(","), f"{where}, channel {channel}")
        for channel, text in enumerate(fields)
    ]


def _stamped_channels(fields: list[str], where: str) -> list[np.ndarray]:
    """Parse channels written as (stamp,value) pairs and put them in the order of time."""
    if not fields:
        raise DataError(
            f"{where}: found no '(stamp,value)' pairs closed by ')' and ':'; expected them because "
            "of '@timeStamps true'"
        )
    rows: list[np.ndarray] = []
    first: np.ndarray | None = None
    for channel, text in enumerate(fields):
        here = f"{where}, channel {channel}"
        pairs = PAIR.findall(text)
        if not pairs or PAIR.sub("", text).strip(", \t"):
            raise DataError(f"{here}: found {show(text)}; expected '(stamp,value)' pairs")
        stamps = sortable([stamp for stamp, _ in pairs], here)
        if first is None:
            first = stamps
        elif not np.array_equal(first, stamps):
            raise DataError(f"{here}: found other time stamps than in channel 0; expected the same")
        order = np.argsort(stamps, kind="stable")
        if (stamps[order][1:] == stamps[order][:-1]).any():
            raise DataError(f"{here}: found a time stamp twice; expected each once; drop one")
        rows.append(_numbers([value for _, value in pairs], here)[order])
    return rows


def _numbers(tokens: list[str], where: str) -> np.ndarray:
    """Return the values of one channel as float64 (time,); `?` and `NaN` are missing."""
    try:
        return np.array([float(token) for token in tokens])
    except ValueError:
        pass
    values = np.empty(len(tokens))
    for step, token in enumerate(tokens):
        try:
            values[step] = np.nan if token.strip() == "?" else float(token)
        except ValueError as error:
            raise DataError(
                f"{where}, value {step}: found {show(token)}; expected a number, NaN or '?'"
            ) from error
    return values


def _label(text: str, header: Header, where: str) -> str | float:
    """Return a class as the header spells it, or a target as a finite float."""
    text = text.strip()
    if header.label == "target":
        try:
            value = float(text)
        except ValueError:
            value = np.nan
        if not np.isfinite(value):
            raise DataError(f"{where}: found target {show(text)}; expected a finite number")
        return value
    for same in (str, str.lower, _as_number):
        for known in header.classes:
            if same(known) == same(text):
                return known
    raise DataError(
        f"{where}: found label {show(text)} at the end; expected one of the {len(header.classes)} "
        "classes of @classLabel; correct the label or add it there"
    )


def _as_number(text: str) -> float | str:
    """Return the number a label spells, so that class 1.0 is class 1; other text unchanged."""
    try:
        return float(text)
    except ValueError:
        return text


def _check(rows: list[np.ndarray], X: list[np.ndarray], header: Header, where: str) -> None:
    """Hold one row to the header and to the rows before it."""
    channels = X[0].shape[1] if X else header.counts.get("dimensions", len(rows))
    if header.flags.get("univariate", False) and len(rows) > 1:
        raise DataError(
            f"{where}: found {len(rows)} channels; expected 1 because of '@univariate true'"
        )
    if len(rows) != channels:
        raise DataError(
            f"{where}: found {len(rows)} channels; expected {channels}; separate channels by ':'"
        )
    lengths = {len(row) for row in rows}
    if len(lengths) > 1:
        raise DataError(
            f"{where}: found channels of lengths {min(lengths)} and {max(lengths)}; expected equal "
            "lengths within a series; fill the gap with '?'"
        )
    if header.flags.get("equallength", False):
        expected = len(X[0]) if X else header.counts.get("serieslength", len(rows[0]))
        if len(rows[0]) != expected:
            raise DataError(
                f"{where}: found {len(rows[0])} time steps; expected {expected} because of "
                "'@equalLength true'; set it to false for unequal lengths"
            )
