"""What a model sees of raw series: standardised values, filled gaps, and differences.

The difference of each channel to its last step is a channel of its own, with unit variance. A model
could form it itself, but smooth series change little from step to step, so that their differences
are drowned by their levels; brought to one scale, both can be learned from. Dempster et al. (2021,
MiniRocket) and its successors add differences for the same reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from resolvent.data import Preprocess, SeriesSet


@dataclass(frozen=True)
class Inputs:
    """From raw values to model inputs, fixed by the training set; uses the past only.

    Attributes:
        preprocess: Standardisation and treatment of missing values.
        change: Root mean square of the differences of each standardised channel.
    """

    preprocess: Preprocess
    change: tuple[float, ...]

    @classmethod
    def fit(cls, train: SeriesSet) -> Self:
        """Fit on the part that is learned from."""
        preprocess = Preprocess.fit(train)
        channels = preprocess.n_inputs
        squares, count = np.zeros(channels), 0
        for x in train.X:
            steps = np.diff(preprocess.apply(x)[:, :channels].astype(np.float64), axis=0)
            squares, count = squares + (steps**2).sum(0), count + len(steps)
        change = np.sqrt(squares / max(count, 1))
        return cls(preprocess, tuple(np.where(change > 1e-6, change, 1.0).tolist()))

    @property
    def n_inputs(self) -> int:
        """Channels of the raw data."""
        return self.preprocess.n_inputs

    @property
    def n_outputs(self) -> int:
        """Channels the model sees."""
        return self.preprocess.n_outputs + self.n_inputs

    def apply(self, x: np.ndarray) -> np.ndarray:
        """Turn a raw series (time, n_inputs) into model input (time, n_outputs), float32.

        Raises:
            DataError: The number of channels differs.
        """
        z = self.preprocess.apply(x)
        level = z[:, : self.n_inputs]
        return np.concatenate([z, self._scaled(np.diff(level, axis=0, prepend=level[:1]))], axis=1)

    def start(self) -> np.ndarray:
        """Memory of a stream before its first row, (2, n_inputs): fill values, last values."""
        return np.stack([self.preprocess.start(), np.full(self.n_inputs, np.nan, np.float32)])

    def step(self, row: np.ndarray, memory: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Turn one raw row (n_inputs,) into model input (n_outputs,); return the new memory too.

        Stepping through a series gives exactly the rows of `apply`.

        Raises:
            DataError: The number of channels differs.
        """
        filled, last = memory
        z, filled = self.preprocess.step(row, filled)
        level = z[: self.n_inputs]
        difference = np.where(np.isnan(last), np.float32(0), level - last)
        return np.concatenate([z, self._scaled(difference)]), np.stack([filled, level])

    def to_dict(self) -> dict[str, Any]:
        """A dictionary that JSON can hold."""
        return {**self.preprocess.to_dict(), "change": list(self.change)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Rebuild what `to_dict` returned."""
        return cls(Preprocess.from_dict(data), tuple(data["change"]))

    def _scaled(self, difference: np.ndarray) -> np.ndarray:
        return difference / np.asarray(self.change, dtype=np.float32)
