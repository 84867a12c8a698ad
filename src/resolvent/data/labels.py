"""Labels to class indices and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from resolvent.data.errors import DataError, show


@dataclass(frozen=True)
class LabelEncoding:
    """The classes of a task; a label's index is its position among them.

    Attributes:
        classes: Distinct labels in sorted order: all strings, integers or booleans.
    """

    classes: tuple[str | int | bool, ...]

    @classmethod
    def fit(cls, y: Any) -> LabelEncoding:
        """Collect the classes of labels (n,).

        Raises:
            DataError: When there are fewer than two classes, or the labels are floats.
        """
        y = np.asarray(y)
        if y.dtype.kind not in "Uiub":
            raise DataError(
                f"found labels of type {y.dtype}; expected strings, integers or booleans; "
                "floats are regression targets"
            )
        classes = tuple(np.unique(y).tolist())
        if len(classes) < 2:
            raise DataError(
                f"found a single class {show(classes[0]) if classes else ''}; expected at least "
                "two to tell apart; add series of another class"
            )
        return cls(classes)

    def encode(self, y: Any) -> np.ndarray:
        """Return class indices, int64 (n,), of labels (n,).

        Raises:
            DataError: When a label is not among the classes.
        """
        position = {label: index for index, label in enumerate(self.classes)}
        labels = np.asarray(y).tolist()
        for i, label in enumerate(labels):
            if label not in position:
                raise DataError(
                    f"series {i}: found label {show(label)}; expected one of the "
                    f"{len(self.classes)} classes {show(self.classes, 80)} seen in training"
                )
        return np.array([position[label] for label in labels], dtype=np.int64)

    def decode(self, indices: Any) -> np.ndarray:
        """Return the labels, of the classes' own type, at indices of any shape."""
        return np.array(self.classes)[np.asarray(indices)]

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary that JSON can hold."""
        return {"classes": list(self.classes)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> LabelEncoding:
        """Rebuild what `to_dict` returned."""
        return cls(tuple(data["classes"]))
