"""Per-channel standardisation, fitted on the training set only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from resolvent.data.errors import DataError, show
from resolvent.data.series import SeriesSet

BLOCK = 1000  # series taken together: few enough to need little memory, enough to be fast


@dataclass(frozen=True)
class Standardise:
    """(x - mean) / std with fixed numbers per channel, so that a stream sees what a batch saw.

    Attributes:
        mean: One number per channel.
        std: One positive number per channel.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def fit(cls, series: SeriesSet) -> Standardise:
        """Measure mean and standard deviation of each channel over all steps of all series.

        Every time step weighs the same and missing values do not count. A channel that is
        constant is only shifted: its std is 1.

        Raises:
            DataError: A channel is missing throughout: nothing is known of it.
        """
        if empty := series.empty_channels:
            raise DataError(
                f"{series.name}: found no value in channel {show(empty[0])} of any series to learn "
                "from; expected at least one; leave the channel out"
            )
        count = np.asarray(sum((~np.isnan(x)).sum(axis=0) for x in _blocks(series)))
        mean = sum(np.nansum(x, axis=0) for x in _blocks(series)) / count
        std = np.sqrt(sum(np.nansum((x - mean) ** 2, axis=0) for x in _blocks(series)) / count)
        floor = 1e-6 * np.abs(mean)  # below this, float32 inputs hold only noise
        return cls(tuple(mean.tolist()), tuple(np.where(std > floor, std, 1.0).tolist()))

    def apply(self, x: np.ndarray) -> np.ndarray:
        """Standardise x (..., channels); float32, elementwise, NaN stays NaN."""
        mean = np.asarray(self.mean, dtype=np.float32)
        return (x.astype(np.float32) - mean) / np.asarray(self.std, dtype=np.float32)

    def undo(self, z: np.ndarray) -> np.ndarray:
        """Return z (..., channels) in the units of the data, float32."""
        return z * np.asarray(self.std, dtype=np.float32) + np.asarray(self.mean, dtype=np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary that JSON can hold."""
        return {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Standardise:
        """Rebuild what `to_dict` returned."""
        return cls(tuple(data["mean"]), tuple(data["std"]))


def _blocks(series: SeriesSet) -> Iterator[np.ndarray]:
    """Yield the steps of many series at once, float64 (steps, channels)."""
    for start in range(0, len(series), BLOCK):
        yield np.concatenate(series.X[start : start + BLOCK]).astype(np.float64)
