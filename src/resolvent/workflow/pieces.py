"""Piecewise linear encoding of channels whose values crowd around a few levels.

Where an appliance is mostly on or off, what tells series apart may be the hundredth part of a
deviation, which a model of standardised values hardly sees. So the range of such a channel is cut
into pieces that hold equally many steps, and each piece is a feature of its own (Gorishniy et al.
2022, "On Embeddings for Numerical Features in Tabular Deep Learning", section 3.2, with -1 to 1 in
place of 0 to 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

PIECES = 16
"""Pieces of a channel; fewer where a value takes up several."""

CROWDED = 0.1
"""A channel is crowded if the median width of its pieces is below this, in deviations.

A normal distribution has 0.2. Whole numbers and other values that repeat exactly are bounds far
apart: they hide nothing, and pieces cost accuracy there. `docs/classify.md` says what was measured.
"""


@dataclass(frozen=True)
class Pieces:
    """From standardised channels to features that say where in its range a value lies.

    Attributes:
        bounds: For each channel the ascending bounds of its pieces; none if it has no pieces.
    """

    bounds: tuple[tuple[float, ...], ...]

    @classmethod
    def fit(cls, z: np.ndarray) -> Self:
        """Find the crowded channels of z (steps, channels), and where their pieces begin."""
        shares = np.linspace(0, 1, PIECES + 1)
        quantiles = np.quantile(z, shares, axis=0, method="nearest").T  # values, not between them
        distinct = [np.unique(q.astype(np.float32)) for q in quantiles]
        return cls(tuple(tuple(b.tolist()) if _crowded(b) else () for b in distinct))

    @property
    def n_outputs(self) -> int:
        """Features in all."""
        return len(self._table[0])

    def apply(self, z: np.ndarray) -> np.ndarray:
        """Features (..., n_outputs) of z (..., channels), float32.

        A feature rises from -1 to 1 between the bounds of its piece, and is flat elsewhere.
        """
        channel, low, width = self._table
        return 2 * np.clip((z[..., channel] - low) / width, 0, 1) - 1

    @cached_property
    def _table(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Channel, lower bound and width of every piece."""
        edges = [np.asarray(b, np.float32) for b in self.bounds]
        channel = np.repeat(np.arange(len(edges)), [len(e[:-1]) for e in edges])
        low = np.concatenate([e[:-1] for e in edges])
        return channel, low, np.concatenate([np.diff(e) for e in edges])


def _crowded(bounds: np.ndarray) -> bool:
    """Whether there are pieces at all, and half of them narrow."""
    return len(bounds) > 2 and float(np.median(np.diff(bounds))) < CROWDED
