"""CSV and Parquet tables, and data frames: each becomes an Arrow table whose rows are gathered."""

from __future__ import annotations

import csv
import re
from typing import Any

import pyarrow as pa
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from resolvent.data.columns import NUMBER, Columns
from resolvent.data.errors import DataError, decoding, show
from resolvent.data.formats.gather import MISSING, gather
from resolvent.data.series import SeriesSet

CODE = re.compile(r"[+-]?0\d")
INTEGER = re.compile(r"[+-]?(0|[1-9]\d{0,17})")


def parse_csv(data: bytes, columns: Columns) -> SeriesSet:
    """Parse a UTF-8 CSV table with a header line; commas, semicolons or tabs separate.

    Labels that are all whole numbers become integers, all numbers floats, anything else strings.

    Raises:
        DataError: Names the line or row, what it holds, what was expected and what to do.
    """
    names, delimiter = _header(data)
    decided = columns.resolve(names)
    parts = [name for name in (decided.target, decided.group, decided.id) if name is not None]
    odd_rows: list[arrow_csv.InvalidRow] = []

    def note(row: arrow_csv.InvalidRow) -> str:
        odd_rows.append(row)
        return "skip"

    with decoding("a CSV table", "correct that row"):
        table = arrow_csv.read_csv(
            pa.BufferReader(data),
            arrow_csv.ReadOptions(
                use_threads=False,  # rows are then numbered in messages
                block_size=min(len(data) + 1, 2**30),
                column_names=names,
                skip_rows=1,
            ),
            arrow_csv.ParseOptions(delimiter=delimiter, invalid_row_handler=note),
            arrow_csv.ConvertOptions(
                column_types={name: pa.string() for name in parts}, null_values=MISSING
            ),
        )
    for row in odd_rows[:1]:
        raise DataError(
            f"row {row.number - 1}: found {row.actual_columns} cells ({show(row.text)}); expected "
            f"{row.expected_columns} as in the header; correct the row"
        )
    for name in (decided.target, decided.group):
        if name is not None:
            typed = pa.array(_typed(table.column(name).to_pylist()))
            table = table.set_column(names.index(name), name, typed)
    return gather(table, decided)


def parse_parquet(data: bytes, columns: Columns) -> SeriesSet:
    """Parse a Parquet table.

    Raises:
        DataError: Names the row or column, what it holds, what was expected and what to do.
    """
    with decoding("a Parquet table", "write the file again"):
        table = parquet.read_table(pa.BufferReader(data), use_threads=False)
        table.validate(full=True)
        names = table.column_names
        str(table.schema)  # Arrow decodes names when asked for, so damaged ones fail here
    kept = [name for name in names if not name.startswith("__index_level_")]
    return gather(table, columns.resolve(kept))


def from_frame(frame: Any, columns: Columns | None = None) -> SeriesSet:
    """Turn a pandas data frame into series.

    Args:
        frame: Long (a row a time step) or wide (a row a series), as in a CSV file.
        columns: The parts of its columns; None leaves them to their names.

    Returns:
        The series.

    Raises:
        DataError: Names the row or column, what it holds, what was expected and what to do.
    """
    decided = (columns or Columns()).resolve([str(name) for name in frame.columns])
    with decoding("a data frame", "use one plain value a cell"):
        table = pa.Table.from_pandas(frame.rename(columns=str), preserve_index=False)
    return gather(table, decided)


def _header(data: bytes) -> tuple[list[str], str]:
    """Return the names of the columns and the delimiter of a CSV table."""
    if b"\0" in data:
        raise DataError("found zero bytes, so it is not text; expected CSV in UTF-8; save it again")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DataError(
            f"line {line}: found a byte that is not UTF-8; expected UTF-8; save the table as UTF-8"
        ) from error
    first, *rows = re.split(r"[\r\n]", text, maxsplit=1)
    if not first.strip():
        raise DataError("line 1: found it blank; expected the names of the columns; add them")
    if not "".join(rows).strip():
        raise DataError("found a header without rows; expected at least one row")
    delimiter = max(",;\t", key=first.count)
    try:
        names = next(csv.reader([first], delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise DataError(f"line 1: {error}; expected the names of the columns") from error
    return [name.strip() for name in names], delimiter


def _typed(texts: list[str]) -> list[int | None] | list[float | None] | list[str]:
    """Return labels read as text as integers, else as floats, where every one is such a number.

    Codes such as 007 stay text.
    """
    stripped = [text.strip() for text in texts]
    present = [text for text in stripped if text]
    if present and all(INTEGER.fullmatch(text) for text in present):
        return [int(text) if text else None for text in stripped]
    if present and all(NUMBER.fullmatch(t) and not CODE.match(t) for t in present):
        return [float(text) if text else None for text in stripped]
    return stripped
