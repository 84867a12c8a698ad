"""A set of labelled series: the value that every reader returns and every model is trained on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from resolvent.data.errors import DataError, show

Task = Literal["classification", "regression"]

LONGEST_LABEL = 200  # characters; a longer one is text that slipped into the label column


@dataclass(frozen=True, eq=False, repr=False)
class SeriesSet:
    """Series of equal or unequal length with their labels.

    The constructor validates; use `SeriesSet.of` for looser input such as one 3-D array.

    Attributes:
        X: One float32 array (time, channels) per series; at least one series, one time step and
            one channel. NaN marks a missing value; infinities are refused.
        y: Labels (n,) or None. Strings, integers and booleans are classes; floats are regression
            targets, so integer-valued targets must be given as floats. None may be missing.
        groups: Subject, speaker or machine of each series (n,), or None.
        name: A name for messages and reports.
        channel_names: One name per channel; made up (c0, c1, ...) when left empty.
        sampling_rate: Time steps per second, or None where unknown.
        ids: What the source calls each series, such as a file's name: strings (n,), or None.

    Raises:
        DataError: When any of the above does not hold; the message names the series.
    """

    X: list[np.ndarray]
    y: np.ndarray | None = None
    groups: np.ndarray | None = None
    name: str = "series"
    channel_names: tuple[str, ...] = ()
    sampling_rate: float | None = None
    ids: np.ndarray | None = None

    def __post_init__(self) -> None:
        X = [as_series(x, f"series {i}") for i, x in enumerate(self.X)]
        if not X:
            raise DataError("no series found; expected at least one")
        channels = X[0].shape[1]
        for i, x in enumerate(X):
            if x.shape[1] != channels:
                raise DataError(
                    f"series {i}: found {x.shape[1]} channels; expected {channels} as in series 0; "
                    "give every series the same channels"
                )
        names = tuple(str(name) for name in self.channel_names)
        names = names or tuple(f"c{i}" for i in range(channels))
        if len(names) != channels:
            raise DataError(
                f"found {len(names)} channel names; expected {channels}, one per channel"
            )
        rate = self.sampling_rate
        if rate is not None and not (np.isfinite(rate) and rate > 0):
            raise DataError(f"found sampling_rate {show(rate)}; expected a positive number or None")
        ids = None if self.ids is None else np.asarray(self.ids, dtype=str)
        if ids is not None and ids.shape != (len(X),):
            raise DataError(f"found ids of shape {ids.shape}; expected one per series: ({len(X)},)")
        for field, value in {
            "X": X,
            "y": None if self.y is None else as_labels(self.y, "label", len(X)),
            "groups": None if self.groups is None else as_labels(self.groups, "group", len(X)),
            "channel_names": names,
            "sampling_rate": None if rate is None else float(rate),
            "ids": ids,
        }.items():
            object.__setattr__(self, field, value)

    @classmethod
    def of(cls, X: Any, y: Any = None, groups: Any = None, name: str = "series") -> SeriesSet:
        """Build a set from plain arrays.

        Args:
            X: An array (n, time, channels), an array (n, time) of single-channel series, a
                sequence of arrays (time, channels) or (time,), or a SeriesSet, whose own labels
                and groups are kept where `y` and `groups` are None.
            y: Labels (n,), or None.
            groups: Groups (n,), or None.
            name: A name for messages.

        Returns:
            The validated set.

        Raises:
            DataError: When the input does not describe a set of series.
        """
        if isinstance(X, SeriesSet):
            y, groups = (X.y if y is None else y), (X.groups if groups is None else groups)
            return cls(X.X, y, groups, X.name, X.channel_names, X.sampling_rate, X.ids)
        if isinstance(X, np.ndarray) and X.ndim not in (2, 3) and X.dtype != object:
            raise DataError(
                f"found an array of shape {X.shape}; expected (n, time, channels) or (n, time)"
            )
        if not isinstance(X, Sequence | np.ndarray) or isinstance(X, str | bytes):
            raise DataError(
                f"found X of type {type(X).__name__}; expected an array (n, time, channels) or a "
                "list of arrays (time, channels)"
            )
        series = [np.asarray(x) for x in X]
        return cls([x[:, None] if x.ndim == 1 else x for x in series], y, groups, name)

    def __len__(self) -> int:
        return len(self.X)

    def __repr__(self) -> str:
        span = f"{self.lengths.min()}..{self.lengths.max()}"
        parts = [f"{len(self)} series of length {span}", f"{self.n_channels} channels"]
        if self.y is not None:
            classes = f" with {len(self.classes)} classes" if self.task == "classification" else ""
            parts.append(self.task + classes)
        if self.groups is not None:
            parts.append(f"{len(np.unique(self.groups))} groups")
        return f"SeriesSet({self.name!r}: {', '.join(parts)})"

    @property
    def n_channels(self) -> int:
        """Number of channels, the same for every series."""
        return self.X[0].shape[1]

    @property
    def lengths(self) -> np.ndarray:
        """Number of time steps of each series: int64 (n,)."""
        return np.array([len(x) for x in self.X], dtype=np.int64)

    @property
    def labels(self) -> np.ndarray:
        """The labels (n,); raises DataError where there are none."""
        if self.y is None:
            raise DataError(
                f"{self.name}: found no labels; expected one per series; name the label column "
                "(target=...) or give y"
            )
        return self.y

    @property
    def task(self) -> Task:
        """What the labels ask for.

        Strings, integers and booleans are classes; floats are regression targets.

        Raises:
            DataError: When there are no labels.
        """
        return "regression" if self.labels.dtype.kind == "f" else "classification"

    @property
    def classes(self) -> np.ndarray:
        """The distinct labels, sorted: (classes,)."""
        return np.unique(self.labels)

    @property
    def has_missing(self) -> bool:
        """Whether any value is NaN."""
        return any(bool(np.isnan(x).any()) for x in self.X)

    @property
    def empty_channels(self) -> list[str]:
        """Names of the channels that have no value in any series."""
        found = np.any([~np.isnan(x).all(axis=0) for x in self.X], axis=0)
        return [self.channel_names[i] for i in np.flatnonzero(~found)]

    def subset(self, indices: Any) -> SeriesSet:
        """Return the series at `indices`: integers in any order (n',), or a boolean mask (n,).

        Raises:
            DataError: When nothing is selected.
            IndexError: When an index is out of range.
        """
        picked = np.asarray(indices)
        chosen = np.arange(len(self))[picked if picked.size else picked.astype(np.int64)]
        return SeriesSet(
            [self.X[i] for i in chosen],
            None if self.y is None else self.y[chosen],
            None if self.groups is None else self.groups[chosen],
            self.name,
            self.channel_names,
            self.sampling_rate,
            None if self.ids is None else self.ids[chosen],
        )


def as_series(values: Any, where: str) -> np.ndarray:
    """Return `values` as a float32 array (time, channels), or raise a DataError naming `where`."""
    x = np.asarray(values)
    if x.dtype.kind not in "fiub":
        raise DataError(f"{where}: found values of type {x.dtype}; expected real numbers")
    if x.ndim != 2:
        raise DataError(f"{where}: found shape {x.shape}; expected (time, channels)")
    if 0 in x.shape:
        what = "time steps" if x.shape[0] == 0 else "channels"
        raise DataError(f"{where}: found no {what}; expected at least one; leave the series out")
    with np.errstate(over="ignore"):
        x = np.ascontiguousarray(x, dtype=np.float32)
    infinite = np.isinf(x)
    if infinite.any():
        step, channel = np.argwhere(infinite)[0]
        raise DataError(
            f"{where}: found an infinite value (or one beyond float32) at time step {step}, "
            f"channel {channel}; expected finite numbers; mark missing values as NaN"
        )
    return x


def as_labels(values: Iterable[Any], what: str, n: int) -> np.ndarray:
    """Return labels or groups as an array (n,) of strings, integers, booleans or finite floats.

    Args:
        values: One value per series.
        what: "label" or "group", for messages.
        n: Number of series.

    Raises:
        DataError: When the number differs, one is missing, or the kinds are mixed.
    """
    y = np.asarray(values)
    if y.ndim != 1 or len(y) != n:
        raise DataError(f"found {what}s of shape {y.shape}; expected one {what} per series: ({n},)")
    if y.dtype.kind == "O":
        y = _from_objects(y, what)
    if y.dtype.kind not in "Uiufb":
        raise DataError(
            f"found {what}s of type {y.dtype}; expected strings, integers or floats; convert them"
        )
    if y.dtype.kind == "f":
        bad = np.flatnonzero(~np.isfinite(y))
        if len(bad):
            raise DataError(
                f"series {bad[0]}: found {what} {y[bad[0]]}; expected a finite number; "
                "give it one or leave the series out"
            )
        return y.astype(np.float64)
    if y.dtype.kind == "U":
        empty = np.flatnonzero(np.char.str_len(y) == 0)
        if len(empty):
            raise DataError(
                f"series {empty[0]}: found no {what}; expected one for every series or for none; "
                "give it one or leave the series out"
            )
        return y
    if y.dtype.kind == "u" and y.max(initial=0) > np.iinfo(np.int64).max:
        raise DataError(f"found {what} {y.max()}; expected integers within 64 bits; use strings")
    return y if y.dtype.kind == "b" else y.astype(np.int64)


def _from_objects(y: np.ndarray, what: str) -> np.ndarray:
    """Give an object array its natural dtype; mixed kinds and missing values are errors."""
    for i, value in enumerate(y):
        if value is None or value is np.ma.masked or value != value:
            raise DataError(
                f"series {i}: found no {what}; expected one for every series or for none; "
                "give it one or leave the series out"
            )
        if isinstance(value, str) and len(value) > LONGEST_LABEL:
            raise DataError(
                f"series {i}: found a {what} of {len(value)} characters; expected at most "
                f"{LONGEST_LABEL}; name the right column"
            )
    text = [isinstance(value, str) for value in y]
    if all(text):
        return y.astype(str)
    if any(text):
        odd = text.index(not text[0])
        raise DataError(
            f"found {what}s of mixed types ({show(y[0])} and {show(y[odd])}); expected all strings "
            "or all numbers; convert them to one type"
        )
    try:
        return np.array(y.tolist())
    except (ValueError, TypeError, OverflowError) as error:
        raise DataError(
            f"found {what}s such as {show(y[0])}; expected strings, integers or floats"
        ) from error
