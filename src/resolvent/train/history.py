"""What a run has measured: one row a validation. Best weights and early stopping follow from it."""

import math

from resolvent.train.metrics import LOWER_IS_BETTER


def make_row(numbers: dict[str, float]) -> dict[str, float | None]:
    """The numbers as a row; None, JSON's null, stands for what is not finite."""
    return {name: value if math.isfinite(value) else None for name, value in numbers.items()}


def best_row(history: list[dict], metric: str | None) -> dict:
    """The first row with the best `valid_<metric>`, ties broken by `valid_loss`.

    Args:
        history: At least one row. None (what was not finite) loses to every number.
        metric: None when nothing is validated: the last row.
    """
    if metric is None:
        return history[-1]

    def merit(row: dict, name: str) -> float:
        value = row[f"valid_{name}"]
        if value is None:
            return -math.inf
        return -value if name in LOWER_IS_BETTER else value

    return max(history, key=lambda row: (merit(row, metric), merit(row, "loss")))


def out_of_patience(history: list[dict], metric: str | None, patience: int | None) -> bool:
    """Whether the last `patience` rows brought no improvement."""
    if patience is None or not history:
        return False
    since_best = len(history) - 1 - history.index(best_row(history, metric))
    return since_best >= patience
