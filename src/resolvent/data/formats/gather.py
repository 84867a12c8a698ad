"""The rows of a table become series: long (a row a time step) or wide (a row a series).

Wide rows are single-channel; cells missing at the end of a row make its series shorter, cells
missing in between are missing values.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from pyarrow import types

from resolvent.data.columns import Columns
from resolvent.data.errors import DataError, decoding, show
from resolvent.data.formats.stamps import sortable
from resolvent.data.series import SeriesSet

MISSING = ["", "?", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "<NA>"]


def gather(table: pa.Table, columns: Columns) -> SeriesSet:
    """Turn a table into series.

    Args:
        table: One value a cell.
        columns: Its parts, all decided (`Columns.resolve`).

    Raises:
        DataError: Names the row or the series, what it holds, what was expected and what to do.
    """
    if not table.num_rows:
        raise DataError("found a table without rows; expected at least one row")
    names = list(columns.channels or ())
    values = np.column_stack([_numbers(table.column(name), name) for name in names])
    target, group = (
        None if name is None else _cells(table.column(name), name)
        for name in (columns.target, columns.group)
    )
    if columns.layout == "wide":
        return SeriesSet(
            [_wide(cells, row) for row, cells in enumerate(values, 1)],
            _labels(target),
            _labels(group),
            channel_names=("value",),
        )
    ids, series = _codes(table, columns.id)
    order = _order(table, columns.time, ids, series)
    return SeriesSet(
        np.split(values[order], np.flatnonzero(np.diff(ids[order])) + 1),
        _labels(None if target is None else _one_each(target, ids, series, str(columns.target))),
        _labels(None if group is None else _one_each(group, ids, series, str(columns.group))),
        channel_names=tuple(names),
        ids=None if columns.id is None else np.array([str(x) for x in series]),
    )


def _wide(cells: np.ndarray, row: int) -> np.ndarray:
    present = np.flatnonzero(~np.isnan(cells))
    if not len(present):
        raise DataError(f"row {row}: found no value; expected a series; delete the row")
    return cells[: present[-1] + 1, None]


def _codes(table: pa.Table, column: str | None) -> tuple[np.ndarray, list[object]]:
    """Number the series in order of appearance; without an id column all rows are one series."""
    if column is None:
        return np.zeros(table.num_rows, dtype=np.int64), ["all rows"]
    numbers: dict[object, int] = {}
    codes = np.empty(table.num_rows, dtype=np.int64)
    for row, value in enumerate(_cells(table.column(column), column)):
        if value is None:
            raise DataError(f"row {row + 1}: found no id in column {show(column)}; expected one")
        codes[row] = numbers.setdefault(value, len(numbers))
    return codes, list(numbers)


def _order(
    table: pa.Table, column: str | None, ids: np.ndarray, series: list[object]
) -> np.ndarray:
    """Return the rows ordered by series, then by time; without a time column as they come."""
    if column is None:
        return np.argsort(ids, kind="stable")
    times = _times(table.column(column), column)
    order = np.lexsort((times, ids))
    same = (ids[order][1:] == ids[order][:-1]) & (times[order][1:] == times[order][:-1])
    if same.any():
        first, again = order[int(np.argmax(same)) :][:2]
        raise DataError(
            f"row {again + 1}: found the {column} of row {first + 1} again in series "
            f"{show(series[ids[again]])}; expected each once; drop one or correct the id"
        )
    return order


def _one_each(
    values: list[object], ids: np.ndarray, series: list[object], column: str
) -> list[object]:
    """Return the one value of each series; blank cells say nothing, two different are an error."""
    found: list[object] = [None] * len(series)
    for row, (code, value) in enumerate(zip(ids.tolist(), values, strict=True)):
        if value is None or value == found[code]:
            continue
        if found[code] is not None:
            raise DataError(
                f"row {row + 1}, column {show(column)}: found {show(value)} after "
                f"{show(found[code])} in series {show(series[code])}; expected one value a series"
            )
        found[code] = value
    if None in found and any(value is not None for value in found):
        raise DataError(
            f"series {show(series[found.index(None)])}: found nothing in column {show(column)}; "
            "expected a value for every series or for none; fill it in or drop the series"
        )
    return found


def _labels(values: list[object] | None) -> np.ndarray | None:
    """Return labels as an object array; None when the column is blank throughout."""
    if values is None or all(value is None for value in values):
        return None
    labels = np.empty(len(values), dtype=object)
    labels[:] = values
    return labels


def _cells(column: pa.ChunkedArray, name: str) -> list[object]:
    """Return plain Python values, None where a cell is missing or blank."""
    kind = _value_type(column)
    if not (_is_number(kind) or _is_text(kind) or types.is_null(kind)):
        raise DataError(f"column {show(name)}: found {kind}; expected text or numbers")
    with decoding(f"column {show(name)}", "write the file again"):
        values = column.to_pylist()
    return [None if v != v or (isinstance(v, str) and not v.strip()) else v for v in values]


def _numbers(column: pa.ChunkedArray, name: str) -> np.ndarray:
    """Return a column of values as float64 (rows,), NaN where missing."""
    kind = _value_type(column)
    if _is_text(kind):
        return _spelled_numbers(_cells(column, name), name)
    if not (_is_number(kind) or types.is_null(kind)):
        raise DataError(
            f"column {show(name)}: found {kind}; expected numbers; name its part (target=, id=, "
            "time=, group=) or list the channels"
        )
    with decoding(f"numbers in column {show(name)}", "write the file again"):
        narrow = column.cast(pa.uint8()) if types.is_boolean(kind) else column
        return narrow.cast(pa.float64()).to_numpy()


def _spelled_numbers(cells: list[object], name: str) -> np.ndarray:
    numbers = np.empty(len(cells))
    for row, cell in enumerate(cells):
        try:
            numbers[row] = np.nan if cell is None or cell in MISSING else float(str(cell))
        except ValueError as error:
            raise DataError(
                f"row {row + 1}, column {show(name)}: found {show(cell)}; expected a number; if it "
                "is no channel, name its part (target=, id=, time=, group=) or list the channels"
            ) from error
    return numbers


def _times(column: pa.ChunkedArray, name: str) -> np.ndarray:
    """Return sortable keys (rows,) of numbers, dates, or text that spells them."""
    kind = _value_type(column)
    if column.null_count:
        row = column.is_null().to_pylist().index(True)
        raise DataError(f"row {row + 1}: found no time in column {show(name)}; expected one")
    if _is_text(kind):
        return sortable([str(cell) for cell in _cells(column, name)], f"column {show(name)}")
    if not (_is_number(kind) or types.is_temporal(kind)):
        raise DataError(f"column {show(name)}: found {kind}; expected numbers or dates")
    with decoding(f"time stamps in column {show(name)}", "use numbers or ISO 8601 dates"):
        if types.is_temporal(kind):
            column = column.cast(pa.int32() if kind.bit_width == 32 else pa.int64())
        keys = column.to_numpy() if types.is_integer(column.type) else _numbers(column, name)
    if not np.isfinite(keys).all():
        row = int(np.argmin(np.isfinite(keys)))
        raise DataError(f"row {row + 1}: found time {keys[row]}; expected a finite number")
    return keys


def _value_type(column: pa.ChunkedArray) -> pa.DataType:
    return column.type.value_type if types.is_dictionary(column.type) else column.type


def _is_number(kind: pa.DataType) -> bool:
    return (
        types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_decimal(kind)
        or types.is_boolean(kind)
    )


def _is_text(kind: pa.DataType) -> bool:
    return types.is_string(kind) or types.is_large_string(kind)
