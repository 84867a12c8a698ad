"""What is learned: the loss summed over rows, and the numbers to report. One class a task."""

from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from resolvent.train.metrics import (
    CLASSIFICATION,
    REGRESSION,
    classification_metrics,
    regression_metrics,
)


class Task(Protocol):
    """What the loop asks of a task. Sums, not means: parts of a batch then add up exactly."""

    @property
    def metric(self) -> str:
        """The number monitored by default."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """Every name `metrics` returns."""
        ...

    @property
    def unit(self) -> str:
        """What `count` counts, in one word."""
        ...

    def loss(self, output: Tensor, y: Tensor) -> Tensor:
        """Loss summed over what `count` counts."""
        ...

    def count(self, y: Tensor) -> int:
        """How many terms the loss of a batch sums (rows; for a language model, tokens)."""
        ...

    def metrics(self, output: Tensor, y: Tensor) -> dict[str, float]:
        """Named numbers over a whole data set."""
        ...


@dataclass(frozen=True)
class Classification:
    """Cross-entropy over classes.

    Attributes:
        label_smoothing: Probability mass spread evenly over all classes, in [0, 1).
        metric: Monitored by default; ties are broken by the loss.
    """

    label_smoothing: float = 0.0
    metric: str = "accuracy"
    names = CLASSIFICATION
    unit = "rows"

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing={self.label_smoothing!r}: expected 0 <= it < 1.")

    def loss(self, output: Tensor, y: Tensor) -> Tensor:
        """Summed cross-entropy of logits (b, k) against class numbers (b,)."""
        return functional.cross_entropy(
            wide(output), y.long(), reduction="sum", label_smoothing=self.label_smoothing
        )

    def count(self, y: Tensor) -> int:
        """Rows."""
        return len(y)

    def metrics(self, output: Tensor, y: Tensor) -> dict[str, float]:
        """See `classification_metrics`."""
        return classification_metrics(wide(output).numpy(), y.numpy())


@dataclass(frozen=True)
class Regression:
    """Squared, absolute or Huber error, averaged over a row's q targets.

    Attributes:
        error: "squared", "absolute", or "huber" (squared within 1, absolute beyond). Targets are
            taken as they come: standardise them first.
        metric: Monitored by default.
    """

    error: Literal["squared", "absolute", "huber"] = "squared"
    metric: str = "rmse"
    names = REGRESSION
    unit = "rows"

    def __post_init__(self) -> None:
        if self.error not in _ERRORS:
            raise ValueError(f"error={self.error!r}: expected one of {sorted(_ERRORS)}.")

    def loss(self, output: Tensor, y: Tensor) -> Tensor:
        """Summed over rows, averaged over targets; output and y are both (b,) or both (b, q)."""
        if output.shape != y.shape:
            raise ValueError(
                f"output has shape {tuple(output.shape)} but y has {tuple(y.shape)}: a regression "
                "model returns one number for each target."
            )
        output = wide(output)
        total = _ERRORS[self.error](output, y.to(output.dtype), reduction="sum")
        return total / (y.shape[1] if y.ndim == 2 else 1)

    def count(self, y: Tensor) -> int:
        """Rows."""
        return len(y)

    def metrics(self, output: Tensor, y: Tensor) -> dict[str, float]:
        """See `regression_metrics`."""
        return regression_metrics(wide(output).numpy(), y.numpy())


_ERRORS = {
    "squared": functional.mse_loss,
    "absolute": functional.l1_loss,
    "huber": functional.huber_loss,
}


def wide(output: Tensor) -> Tensor:
    """At least float32: losses are never summed in bfloat16."""
    return output.to(torch.promote_types(output.dtype, torch.float32))
