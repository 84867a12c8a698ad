"""What happens to raw values before the model sees them: standardise, then fill gaps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from resolvent.data.errors import DataError
from resolvent.data.missing import Fill, Missing
from resolvent.data.scale import Standardise
from resolvent.data.series import SeriesSet


@dataclass(frozen=True)
class Preprocess:
    """Standardisation and treatment of missing values, fixed by the training set.

    Attributes:
        scale: Per-channel mean and standard deviation.
        missing: How NaN is filled, and whether mask channels are appended.
    """

    scale: Standardise
    missing: Missing

    @classmethod
    def fit(cls, train: SeriesSet, fill: Fill = "forward", mask: bool | None = None) -> Preprocess:
        """Fit on the training set.

        Args:
            train: Series of the training part only.
            fill: How gaps are filled; see `Missing`.
            mask: Whether to append mask channels; None does so when `train` has missing values.
        """
        mask = train.has_missing if mask is None else mask
        return cls(Standardise.fit(train), Missing(fill, mask))

    @property
    def n_inputs(self) -> int:
        """Channels of the raw data."""
        return len(self.scale.mean)

    @property
    def n_outputs(self) -> int:
        """Channels the model sees."""
        return self.n_inputs * (2 if self.missing.mask else 1)

    def apply(self, x: np.ndarray) -> np.ndarray:
        """Turn a raw series (time, n_inputs) into model input (time, n_outputs), float32.

        Raises:
            DataError: When the number of channels differs.
        """
        self._check(x)
        return self.missing.apply(self.scale.apply(x))

    def start(self) -> np.ndarray:
        """Return the memory of a stream before its first row."""
        return self.missing.start(self.n_inputs)

    def step(self, row: np.ndarray, memory: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Turn one raw row (n_inputs,) into model input (n_outputs,); return the new memory too.

        Stepping through a series gives exactly the rows of `apply`.

        Raises:
            DataError: When the number of channels differs.
        """
        self._check(row)
        return self.missing.step(self.scale.apply(row), memory)

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary that JSON can hold."""
        return {"scale": self.scale.to_dict(), "missing": self.missing.to_dict()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Preprocess:
        """Rebuild what `to_dict` returned."""
        return cls(Standardise.from_dict(data["scale"]), Missing.from_dict(data["missing"]))

    def _check(self, x: np.ndarray) -> None:
        if x.shape[-1] != self.n_inputs:
            raise DataError(
                f"found {x.shape[-1]} channels; expected {self.n_inputs} as in training; "
                "give the same channels in the same order"
            )
