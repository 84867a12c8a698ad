"""Seeded splits into training, validation and test parts: stratified by class, or by group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from resolvent.data.errors import DataError, show
from resolvent.data.series import SeriesSet


def automatic(
    series: SeriesSet, fractions: Sequence[float] = (0.8, 0.2), seed: int = 0
) -> tuple[SeriesSet, ...]:
    """Split by group where groups are known, else stratified with rare classes kept in training."""
    if series.groups is not None:
        return by_group(series, fractions, seed)
    return stratified(series, fractions, seed, rare="first")


def stratified(
    series: SeriesSet,
    fractions: Sequence[float] = (0.8, 0.2),
    seed: int = 0,
    rare: Literal["error", "first"] = "error",
) -> tuple[SeriesSet, ...]:
    """Split at random so that every part has its share of every class.

    Part sizes are within one series a class of the fractions. Regression targets, and sets
    without labels, are split at random.

    Args:
        series: What to split.
        fractions: Share of each part, training first; they sum to 1.
        seed: The same seed gives the same parts.
        rare: What happens to a class with fewer series than there are parts: "error", or "first"
            to put all of it into the first part.

    Returns:
        One set per fraction, each in the order of `series`.

    Raises:
        DataError: When there are too few series for the parts, in all or of one class.
        ValueError: When the fractions are not positive or do not sum to 1.
    """
    shares, rng = _shares(fractions), np.random.default_rng(seed)
    parts = len(shares)
    if len(series) < parts:
        raise DataError(
            f"{series.name}: found {len(series)} series for {parts} parts; expected one each"
        )
    has_classes = series.y is not None and series.task == "classification"
    strata = series.labels if has_classes else np.zeros(len(series), dtype=np.int64)
    part = np.zeros(len(series), dtype=np.int64)
    sizes = np.zeros(parts)
    for label in np.unique(strata):
        members = rng.permutation(np.flatnonzero(strata == label))
        if len(members) >= parts:
            part[members] = np.repeat(np.arange(parts), _counts(len(members), shares, sizes))
        elif rare == "error":
            raise DataError(
                f"{series.name}: found {len(members)} series of class {show(label.item())}; "
                f"expected at least {parts}, one for each part; add some, or split in fewer parts"
            )
        sizes += np.bincount(part[members], minlength=parts)
    return _take(series, part, parts)


def by_group(
    series: SeriesSet, fractions: Sequence[float] = (0.8, 0.2), seed: int = 0
) -> tuple[SeriesSet, ...]:
    """Split so that no group (subject, speaker, machine) is in two parts.

    Of a number of random assignments, the one is taken that has every class in the training part,
    then misses the fewest classes elsewhere, then comes closest to the fractions.

    Args:
        series: What to split; its groups must be known.
        fractions: Share of each part, training first; they sum to 1.
        seed: The same seed gives the same parts.

    Returns:
        One set per fraction, each in the order of `series`.

    Raises:
        DataError: When groups are unknown or fewer than the parts, or when no assignment leaves
            every class in the training part.
        ValueError: When the fractions are not positive or do not sum to 1.
    """
    shares, rng = _shares(fractions), np.random.default_rng(seed)
    if series.groups is None:
        raise DataError(f"{series.name}: found no groups; expected one per series; give group=...")
    names, group = np.unique(series.groups, return_inverse=True)
    if len(names) < len(shares):
        raise DataError(
            f"{series.name}: found {len(names)} groups for {len(shares)} parts; expected one each; "
            "split at random instead (stratified)"
        )
    has_classes = series.y is not None and series.task == "classification"
    strata = np.unique(series.labels, return_inverse=True)[1] if has_classes else 0 * group
    table = np.zeros((len(names), strata.max() + 1), dtype=np.int64)  # series of a group and class
    np.add.at(table, (group, strata), 1)
    draws = max(1, min(200, 20_000 // len(names)))
    candidates = [_assign(table.sum(axis=1), shares, rng) for _ in range(draws)]
    best = min(candidates, key=lambda part: _badness(part, table, shares))
    absent = table[best == 0].sum(axis=0) == 0
    if absent.any():
        label = series.classes[int(np.argmax(absent))].item()
        raise DataError(
            f"{series.name}: found no split by group with class {show(label)} in training; "
            "expected every class there; add groups or split at random (stratified)"
        )
    return _take(series, best[group], len(shares))


def _shares(fractions: Sequence[float]) -> np.ndarray:
    shares = np.asarray(fractions, dtype=np.float64)
    if (
        shares.ndim != 1
        or len(shares) < 2
        or not (shares > 0).all()
        or abs(shares.sum() - 1) > 1e-6
    ):
        raise ValueError(
            f"fractions: received {fractions!r}; expected two or more positive numbers that sum "
            "to 1, for example (0.8, 0.2)"
        )
    return shares / shares.sum()


def _counts(n: int, shares: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Divide n series of a class: at least one a part, remainders to the parts most behind."""
    counts = np.maximum(np.floor(n * shares).astype(np.int64), 1)
    while counts.sum() < n:
        behind = (sizes.sum() + n) * shares - (sizes + counts)
        behind[counts >= np.ceil(n * shares)] -= n
        counts[np.argmax(behind)] += 1
    while counts.sum() > n:
        counts[np.argmax(counts)] -= 1
    return counts


def _assign(weights: np.ndarray, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Deal groups in random order, each to the part furthest below its share: part (groups,)."""
    parts = len(shares)
    order = rng.permutation(len(weights))
    part = np.empty(len(weights), dtype=np.int64)
    sizes = np.zeros(parts)
    for position, group in enumerate(order):
        missing = shares * weights.sum() - sizes
        if len(order) - position <= np.count_nonzero(sizes == 0):
            missing[sizes > 0] = -np.inf  # the last groups go to parts that are still empty
        part[group] = np.argmax(missing)
        sizes[part[group]] += weights[group]
    return part


def _badness(part: np.ndarray, table: np.ndarray, shares: np.ndarray) -> tuple[int, int, float]:
    """Rank an assignment: classes absent from training, absent elsewhere, distance of sizes."""
    counts = np.stack([table[part == i].sum(axis=0) for i in range(len(shares))])
    absent = (counts == 0).sum(axis=1)
    sizes = counts.sum(axis=1) / counts.sum()
    return int(absent[0]), int(absent[1:].sum()), float(np.abs(sizes - shares).sum())


def _take(series: SeriesSet, part: np.ndarray, parts: int) -> tuple[SeriesSet, ...]:
    return tuple(series.subset(np.flatnonzero(part == i)) for i in range(parts))
