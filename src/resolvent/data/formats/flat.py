"""The flat text format of the older UCR archive: one series a line, its label first, no header.

    1   0.13  0.25  0.31
    2   0.40  0.11  NaN

Values are separated by tabs, blanks or commas. Shorter series are padded with NaN at the end.
Source: Dau et al., "The UCR time series archive", 2019, arXiv:1810.07758.
"""

from __future__ import annotations

import numpy as np

from resolvent.data.errors import DataError, show
from resolvent.data.series import SeriesSet, as_series


def parse(data: bytes) -> SeriesSet:
    """Parse a flat UCR file into single-channel series with integer (else float) labels.

    Raises:
        DataError: Names the line, what it holds and what was expected.
    """
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError("found bytes that are not text; expected rows of numbers") from error
    X: list[np.ndarray] = []
    labels: list[float] = []
    for number, line in enumerate(lines, 1):
        where = f"line {number}"
        tokens = line.replace(",", " ").split()
        if not tokens:
            continue
        label, *values = _numbers(tokens, where)
        if not np.isfinite(label):
            raise DataError(f"{where}: found label {label}; expected a finite number")
        present = np.flatnonzero(~np.isnan(values))
        length = present[-1] + 1 if len(present) else 0
        X.append(as_series(np.array(values[:length])[:, None], where))
        labels.append(label)
    if not X:
        raise DataError("found no series; expected one a line")
    whole = all(label.is_integer() and abs(label) < 2**53 for label in labels)
    return SeriesSet(X, np.array(labels).astype(np.int64) if whole else np.array(labels))


def _numbers(tokens: list[str], where: str) -> list[float]:
    numbers = []
    for position, token in enumerate(tokens):
        try:
            numbers.append(np.nan if token == "?" else float(token))
        except ValueError as error:
            raise DataError(
                f"{where}, column {position + 1}: found {show(token)}; expected a number: this "
                "format has a numeric label first and no header; save other tables as .csv"
            ) from error
    return numbers
