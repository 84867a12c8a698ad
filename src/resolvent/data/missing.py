"""Missing values: what a model sees in place of NaN.

Only the past may be used, so that a stream gives the numbers of a batch: a gap takes the last
value seen ("forward"), or zero, the training mean after standardisation ("zero"); before the
first value both give zero. Mask channels tell the model what was measured and what was filled;
they matter because absence is often informative (Che et al., "Recurrent neural networks for
multivariate time series with missing values", 2018).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Fill = Literal["forward", "zero"]


@dataclass(frozen=True)
class Missing:
    """How gaps are filled; applies to standardised values.

    Attributes:
        fill: "forward" or "zero", as the module explains.
        mask: Whether to append one channel per channel: 1 where measured, 0 where filled.
    """

    fill: Fill = "forward"
    mask: bool = False

    def __post_init__(self) -> None:
        if self.fill not in ("forward", "zero"):
            raise ValueError(f"fill: received {self.fill!r}; expected 'forward' or 'zero'")

    def apply(self, x: np.ndarray) -> np.ndarray:
        """Fill a whole series x (time, channels) -> (time, channels), or twice that with mask."""
        present = ~np.isnan(x)
        if self.fill == "forward":
            steps = np.where(present, np.arange(len(x))[:, None], -1)
            last = np.maximum.accumulate(steps, axis=0)
            filled = np.take_along_axis(x, np.maximum(last, 0), axis=0)
            filled = np.where(last >= 0, filled, np.float32(0))
        else:
            filled = np.where(present, x, np.float32(0))
        return np.concatenate([filled, present.astype(x.dtype)], axis=1) if self.mask else filled

    def start(self, channels: int) -> np.ndarray:
        """Return the memory of a stream before its first row: (channels,) zeros."""
        return np.zeros(channels, dtype=np.float32)

    def step(self, row: np.ndarray, memory: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Fill one row (channels,) of a stream; return it and the memory for the next row.

        Stepping through a series gives exactly the rows of `apply`.
        """
        present = ~np.isnan(row)
        filled = np.where(present, row, memory)
        memory = filled if self.fill == "forward" else memory
        output = np.concatenate([filled, present.astype(row.dtype)]) if self.mask else filled
        return output, memory

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary that JSON can hold."""
        return {"fill": self.fill, "mask": self.mask}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Missing:
        """Rebuild what `to_dict` returned."""
        return cls(data["fill"], data["mask"])
