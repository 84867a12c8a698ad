"""CSV and Parquet tables: long (a row a time step) or wide (a row a series)."""

from __future__ import annotations

from resolvent.data.columns import Columns
from resolvent.data.series import SeriesSet


def parse_csv(data: bytes, columns: Columns) -> SeriesSet:
    """Parse CSV."""
    raise NotImplementedError


def parse_parquet(data: bytes, columns: Columns) -> SeriesSet:
    """Parse Parquet."""
    raise NotImplementedError
