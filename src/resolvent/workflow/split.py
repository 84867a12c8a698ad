"""Which series are held out for validation: whole groups if there are any, else a fair sample."""

from __future__ import annotations

import numpy as np

from resolvent.data import SeriesSet

ATTEMPTS = 200
"""Draws of held-out groups among which the best one is kept."""


def hold_out(series: SeriesSet, fraction: float, seed: int) -> tuple[SeriesSet, SeriesSet | None]:
    """Split a training set into a part to learn from and a part to validate on.

    Args:
        series: Labelled series. Groups (subjects, speakers) are never torn apart.
        fraction: Share to hold out, from 0 to below 1; 0 holds nothing out.
        seed: Fixes the choice.

    Returns:
        The part to learn from, which has every class, and the held-out part; None where nothing
        can be held out: too few series, or no group that leaves every class behind.
    """
    chosen = np.zeros(len(series), dtype=bool)
    if fraction > 0:
        rng = np.random.default_rng([seed, 0x5B117])
        draw = _systematic if series.groups is None else _whole_groups
        chosen = draw(series, fraction, rng)
    if not chosen.any():
        return series, None
    return series.subset(~chosen), series.subset(chosen)


def _systematic(series: SeriesSet, fraction: float, rng: np.random.Generator) -> np.ndarray:
    """Every k-th series in the order of the labels: strata for classes and for numbers alike.

    A class with a single series keeps it.
    """
    y = series.labels
    _, kind, counts = np.unique(y, return_inverse=True, return_counts=True)
    order = np.lexsort((rng.random(len(y)), kind))
    if series.task == "classification":
        order = order[counts[kind[order]] > 1]
    wanted = min(round(fraction * len(y)), len(order) - 1)
    if wanted < 1:
        return np.zeros(len(y), dtype=bool)
    positions = np.floor((np.arange(wanted) + rng.random()) * len(order) / wanted).astype(int)
    chosen = np.zeros(len(y), dtype=bool)
    chosen[order[positions]] = True
    return _with_every_class(chosen, series)


def _with_every_class(chosen: np.ndarray, series: SeriesSet) -> np.ndarray:
    """The same without one series of each class that would be held out entirely."""
    if series.task == "classification":
        for label in set(series.labels[chosen]) - set(series.labels[~chosen]):
            chosen[np.flatnonzero(chosen & (series.labels == label))[0]] = False
    return chosen


def _whole_groups(series: SeriesSet, fraction: float, rng: np.random.Generator) -> np.ndarray:
    """Of many draws of groups, the one whose size and labels come closest to a fair share."""
    assert series.groups is not None
    names, member = np.unique(series.groups, return_inverse=True)
    best, best_misfit = np.zeros(len(series), dtype=bool), np.inf
    for _ in range(ATTEMPTS if len(names) > 1 else 0):
        order = rng.permutation(len(names))
        sizes = np.bincount(member, minlength=len(names))[order].cumsum()
        count = 1 + int(np.abs(sizes[:-1] - fraction * len(series)).argmin())
        chosen = np.isin(member, order[:count])
        misfit = _misfit(series, chosen, fraction)
        if misfit < best_misfit:
            best, best_misfit = chosen, misfit
    return best


def _misfit(series: SeriesSet, chosen: np.ndarray, fraction: float) -> float:
    """How far a choice is from the fraction of every class; infinite if it exhausts one."""
    if series.task == "regression":
        return abs(chosen.mean() - fraction)
    _, kind = np.unique(series.labels, return_inverse=True)
    total = np.bincount(kind)
    held = np.bincount(kind[chosen], minlength=len(total))
    return np.inf if (held == total).any() else float(np.abs(held / total - fraction).sum())
