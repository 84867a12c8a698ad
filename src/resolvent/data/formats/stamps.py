"""Time stamps as text become something that sorts."""

from __future__ import annotations

import warnings

import numpy as np

from resolvent.data.errors import DataError, show


def sortable(texts: list[str], where: str) -> np.ndarray:
    """Return stamps that are all numbers as float64, or all ISO 8601 dates as datetime64[us].

    Raises:
        DataError: When they are neither; names `where` and one that is not.
    """
    try:
        stamps = np.array([float(text) for text in texts])
    except ValueError:
        return _dates(texts, where)
    if not np.isfinite(stamps).all():
        raise DataError(f"{where}: found a time stamp that is not finite; expected a number")
    return stamps


def _dates(texts: list[str], where: str) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's, on offsets such as +00:00: it converts to UTC
        for text in texts:
            try:
                known = not np.isnat(np.datetime64(text.strip(), "us"))
            except (ValueError, OverflowError):
                known = False
            if not known:
                raise DataError(
                    f"{where}: found time stamp {show(text)}; expected all numbers or all ISO "
                    "8601 dates"
                )
        return np.array([text.strip() for text in texts], dtype="datetime64[us]")
