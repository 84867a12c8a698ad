"""What a model sees of raw series: standardised values, filled gaps, differences, and pieces.

The difference of each channel to its last step is a channel of its own, with unit variance. A model
could form it itself, but smooth series change little from step to step, so that their differences
are drowned by their levels; brought to one scale, both can be learned from. Dempster et al. (2021,
MiniRocket) and its successors add differences for the same reason. Channels whose values crowd
around a few levels are given in pieces too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from resolvent.data import Preprocess, SeriesSet
from resolvent.workflow.pieces import Pieces

STEPS = 1_000_000
"""About as many steps, evenly spaced, say where the pieces begin."""


@dataclass(frozen=True)
class Inputs:
    """From raw values to model inputs, fixed by the training set; uses the past only.

    Attributes:
        preprocess: Standardisation and treatment of missing values.
        change: Root mean square of the differences of each standardised channel.
        pieces: Where in its range a standardised value lies.
    """

    preprocess: Preprocess
    change: tuple[float, ...]
    pieces: Pieces

    @classmethod
    def fit(cls, train: SeriesSet) -> Self:
        """Fit on the part that is learned from."""
        preprocess = Preprocess.fit(train)
        channels = preprocess.n_inputs
        squares, count, some = np.zeros(channels), 0, []
        every = -(-int(train.lengths.sum()) // STEPS)
        for x in train.X:
            level = preprocess.apply(x)[:, :channels]
            steps = np.diff(level.astype(np.float64), axis=0)
            squares, count = squares + (steps**2).sum(0), count + len(steps)
            some.append(level[::every])
        change = np.sqrt(squares / max(count, 1))
        change = tuple(np.where(change > 1e-6, change, 1.0).tolist())
        return cls(preprocess, change, Pieces.fit(np.concatenate(some)))

    @property
    def n_inputs(self) -> int:
        """Channels of the raw data."""
        return self.preprocess.n_inputs

    @property
    def n_outputs(self) -> int:
        """Channels the model sees."""
        return self.preprocess.n_outputs + self.n_inputs + self.pieces.n_outputs

    def apply(self, x: np.ndarray) -> np.ndarray:
        """Turn a raw series (time, n_inputs) into model input (time, n_outputs), float32.

        Raises:
            DataError: The number of channels differs.
        """
        z = self.preprocess.apply(x)
        level = z[:, : self.n_inputs]
        return self._complete(z, np.diff(level, axis=0, prepend=level[:1]))

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
        return self._complete(z, difference), np.stack([filled, level])

    def to_dict(self) -> dict[str, Any]:
        """A dictionary that JSON can hold."""
        bounds = [list(b) for b in self.pieces.bounds]
        return {**self.preprocess.to_dict(), "change": list(self.change), "bounds": bounds}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Rebuild what `to_dict` returned."""
        preprocess, change = Preprocess.from_dict(data), tuple(data["change"])
        none = [()] * preprocess.n_inputs  # as in runs of before there were pieces
        return cls(preprocess, change, Pieces(tuple(tuple(b) for b in data.get("bounds", none))))

    def _complete(self, z: np.ndarray, difference: np.ndarray) -> np.ndarray:
        """Model input of preprocessed values and differences of the levels among them."""
        scaled = difference / np.asarray(self.change, dtype=np.float32)
        return np.concatenate([z, scaled, self.pieces.apply(z[..., : self.n_inputs])], axis=-1)
