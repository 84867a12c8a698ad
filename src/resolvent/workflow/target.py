"""What is predicted: classes or numbers, and the way from labels to the model's output and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from resolvent.data import DataError, LabelEncoding, SeriesSet
from resolvent.data.series import Task as Kind
from resolvent.train import Classification, Regression, Task


@dataclass(frozen=True)
class Classes:
    """One output a class: its logit.

    Attributes:
        encoding: The classes.
    """

    encoding: LabelEncoding
    kind: Kind = "classification"

    @property
    def n_outputs(self) -> int:
        """Number of classes."""
        return len(self.encoding.classes)

    def task(self, label_smoothing: float = 0.0) -> Task:
        """Cross-entropy."""
        return Classification(label_smoothing)

    def encode(self, series: SeriesSet) -> Tensor:
        """Class numbers (n,); DataError for a class that was not seen in training."""
        return torch.from_numpy(self.encoding.encode(series.labels))

    def decode(self, output: Tensor) -> np.ndarray:
        """Labels (n,) of outputs (n, classes)."""
        return self.encoding.decode(output.argmax(-1).numpy())

    def probabilities(self, output: Tensor) -> np.ndarray:
        """Probabilities (n, classes), float64, in the order of the classes."""
        return output.double().softmax(-1).numpy()

    def to_dict(self) -> dict[str, Any]:
        """A dictionary that JSON can hold."""
        return {"kind": self.kind, **self.encoding.to_dict()}


@dataclass(frozen=True)
class Values:
    """A single output: the target, standardised.

    Attributes:
        mean: Of the targets in training.
        std: Of the targets in training.
    """

    mean: float
    std: float
    kind: Kind = "regression"
    encoding: None = None
    n_outputs: None = None

    def task(self, label_smoothing: float = 0.0) -> Task:
        """Squared error of standardised targets; metrics in the targets' own units."""
        return _Standardised(mean=self.mean, std=self.std)

    def encode(self, series: SeriesSet) -> Tensor:
        """Targets (n,), float64."""
        return torch.from_numpy(series.labels)

    def decode(self, output: Tensor) -> np.ndarray:
        """Values (n,), float64, in the targets' units, of outputs (n,)."""
        return output.double().numpy() * self.std + self.mean

    def probabilities(self, output: Tensor) -> None:
        """None: a number has no classes."""

    def to_dict(self) -> dict[str, Any]:
        """A dictionary that JSON can hold."""
        return {"kind": self.kind, "mean": self.mean, "std": self.std}


Target = Classes | Values


@dataclass(frozen=True)
class _Standardised(Regression):
    """Regression of a standardised output (n,) against targets (n,) in their own units."""

    mean: float = 0.0
    std: float = 1.0

    def loss(self, output: Tensor, y: Tensor) -> Tensor:
        """Error of the standardised target."""
        return super().loss(output, ((y - self.mean) / self.std).to(output.dtype))

    def metrics(self, output: Tensor, y: Tensor) -> dict[str, float]:
        """In the targets' units."""
        return super().metrics(output.double() * self.std + self.mean, y.double())


def make_target(train: SeriesSet) -> Target:
    """The target that the labels of a training set ask for.

    Raises:
        DataError: There are no labels, or a single class.
    """
    if train.task == "classification":
        return Classes(LabelEncoding.fit(train.labels))
    std = float(np.std(train.labels))
    return Values(float(np.mean(train.labels)), std if std > 0 else 1.0)


def target_from_dict(data: Mapping[str, Any]) -> Target:
    """Inverse of `to_dict`."""
    if data["kind"] == "classification":
        return Classes(LabelEncoding.from_dict({"classes": data["classes"]}))
    return Values(data["mean"], data["std"])


def with_task(series: SeriesSet, kind: Kind | None) -> SeriesSet:
    """The same series with labels of the wanted kind; None leaves them as they are.

    Raises:
        DataError: The labels cannot be read that way.
    """
    if kind is None or series.y is None or series.task == kind:
        return series
    if kind == "regression":
        try:
            return replace(series, y=series.y.astype(np.float64))
        except ValueError as error:
            raise DataError(
                f"{series.name}: found labels such as {series.y[0]!r}; expected numbers for "
                "regression; choose classification"
            ) from error
    whole = series.y.astype(np.int64)
    if not np.array_equal(whole, series.y):
        raise DataError(
            f"{series.name}: found fractional labels such as {series.y[whole != series.y][0]}; "
            "expected classes; choose regression"
        )
    return replace(series, y=whole)
