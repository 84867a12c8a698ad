"""Who took what, in order: sequences of items, for models that say what a user takes next."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from resolvent.data.errors import DataError, decoding, show


class Interactions(NamedTuple):
    """The items of every user.

    Attributes:
        sequences: item numbers (l,), int64, of each user, the earliest first.
        users: the name of each user.
        items: the name of each item; its place is its number.
    """

    sequences: list[np.ndarray]
    users: list[Any]
    items: list[Any]


class Part(NamedTuple):
    """One part of the sequences, as `LabelledTokens` takes it.

    Attributes:
        x: what is read of each user.
        y: what follows: after every item (l,) to learn from, or after the last one to judge by.
    """

    x: list[np.ndarray]
    y: list[np.ndarray] | np.ndarray


def read_interactions(
    source: str | Path | pd.DataFrame,
    user: str = "user",
    item: str = "item",
    time: str | None = "time",
    least: int = 5,
) -> Interactions:
    """Read a table with a row for each time that a user took an item.

    Args:
        source: a CSV or Parquet file, or a data frame.
        user: column of the user.
        item: column of the item.
        time: column to sort by, numbers or times; None: the order of the rows. Ties keep it.
        least: users and items with fewer rows are dropped, until none is left with fewer (Kang &
            McAuley 2018: 5).

    Raises:
        DataError: the table cannot be read, lacks a column, has empty cells in it, or nothing is
            left.
    """
    columns = [user, item, *([] if time is None else [time])]
    frame: Any = source if isinstance(source, pd.DataFrame) else _table(Path(source))
    for name in columns:
        if name not in frame.columns:
            found = ", ".join(map(str, frame.columns))
            raise DataError(f"column {show(name)}: not in the table, whose columns are {found}")
        if frame[name].isna().any():
            row = int(frame[name].isna().to_numpy().argmax())
            raise DataError(f"column {show(name)}: row {row} is empty; drop or fill such rows")
    frame = frame[columns]
    if time is not None:
        frame = frame.sort_values(time, kind="stable")
    size = len(frame) + 1
    while len(frame) < size:
        size = len(frame)
        for name in (user, item):
            frame = frame[frame.groupby(name)[name].transform("size") >= least]
    if frame.empty:
        raise DataError(f"nothing is left of users and items with {least} rows; lower least")
    numbers, items = pd.factorize(frame[item], sort=True)
    groups = pd.Series(numbers, index=frame.index).groupby(frame[user], sort=True)
    sequences = {name: group.to_numpy(np.int64) for name, group in groups}
    return Interactions(list(sequences.values()), list(sequences), list(items))


def leave_last_out(sequences: list[np.ndarray]) -> tuple[Part, Part, Part]:
    """Parts to train, to validate and to test on (Kang & McAuley 2018, SASRec, section IV-A).

    A user's last item is for the test, the one before it for validation; users with fewer than
    three items only train.
    """
    kept = [s for s in sequences if len(s) > 2]
    learned = [s[:-2] for s in kept] + [s for s in sequences if len(s) == 2]
    learned = [s for s in learned if len(s) > 1]
    return (
        Part([s[:-1] for s in learned], [s[1:] for s in learned]),
        Part([s[:-2] for s in kept], np.array([s[-2] for s in kept], np.int64)),
        Part([s[:-1] for s in kept], np.array([s[-1] for s in kept], np.int64)),
    )


def two_threads(
    n: int, length: int, items: int = 50, noise: float = 0.2, seed: int = 0
) -> list[np.ndarray]:
    """Draw users who follow two threads in turn: what comes next depends on the item before last.

    It is that item's successor, the same for all users, or with probability ``noise`` an item by
    its popularity (Zipf's law). So neither popularity nor the last item says much, and no model
    puts the right item first more often than about 1 - noise.

    Args:
        n: number of users.
        length: items of each, at least 3; lengths vary from half of it up.
        items: number of items.
        noise: probability in [0, 1].
        seed: fixes the draw; the successors depend on ``items`` alone.

    Raises:
        ValueError: the length is too small.
    """
    if length < 3:
        raise ValueError(f"length: expected at least 3, got {length}")
    successor = np.random.default_rng(items).permutation(items)
    rng = np.random.default_rng(seed)
    weights = 1 / np.arange(1, items + 1)
    x = rng.choice(items, (n, length), p=weights / weights.sum())
    follows = rng.random((n, length)) >= noise
    for t in range(2, length):
        x[:, t] = np.where(follows[:, t], successor[x[:, t - 2]], x[:, t])
    lengths = rng.integers(max(3, length // 2), length + 1, n)
    return [row[:size].astype(np.int64) for row, size in zip(x, lengths, strict=True)]


def _table(path: Path) -> pd.DataFrame:
    if not path.exists():
        raise DataError(f"source: expected a CSV or Parquet file, found none at {path}")
    with decoding("a table of interactions", "write it as CSV with a header, or as Parquet"):
        return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
