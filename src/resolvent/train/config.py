"""What a training run may be told: one frozen dataclass, checked when it is made."""

import math
from dataclasses import dataclass
from typing import Literal

Precision = Literal["no", "bf16"]


@dataclass(frozen=True)
class TrainConfig:
    """How a model is trained. Every field acts; an impossible value is a ValueError.

    Attributes:
        epochs: Passes over the training data. Ignored when `steps` is given.
        steps: Optimiser steps; None: `epochs` times the number of batches.
        batch_size: Sequences an optimiser step, over all processes (the loader reads it).
        lr: Peak learning rate; a parameter's own `max_lr` caps it.
        weight_decay: AdamW's decoupled decay; norms and biases are exempt, and a parameter's own
            `weight_decay` replaces it.
        warmup: Fraction of the steps over which the rate rises linearly; a half cosine follows.
        final_lr: Where the cosine ends, as a fraction of `lr`.
        grad_clip: Largest norm of the whole gradient; None: no limit.
        accumulation: Parts a batch is cut into, one after the other, to fit into memory.
            The gradient is that of the whole batch, but batch norms see one part at a time.
        precision: "bf16" runs the model under bfloat16 autocast; weights stay float32.
        metric: What is monitored on the validation data; None: the task's own choice.
        patience: Validations without improvement before training stops; None: never.
        validate_every: Steps between validations; None: once an epoch.
        checkpoint_seconds: Most seconds of work a kill may cost. Changes no result.
        seed: Origin of all randomness of the run.

    Raises:
        ValueError: A value is out of range; the message names it.
    """

    epochs: int = 100
    steps: int | None = None
    batch_size: int = 32
    lr: float = 1e-3
    weight_decay: float = 0.01
    warmup: float = 0.1
    final_lr: float = 0.0
    grad_clip: float | None = 1.0
    accumulation: int = 1
    precision: Precision = "no"
    metric: str | None = None
    patience: int | None = None
    validate_every: int | None = None
    checkpoint_seconds: float = 30.0
    seed: int = 0

    def __post_init__(self) -> None:
        for names, words, fits in _RANGES:
            for name in names.split():
                value = getattr(self, name)
                if not (fits(value) or (value is None and name in _OPTIONAL)):
                    raise ValueError(f"{name}={value!r}: expected {words}.")
        if self.precision not in ("no", "bf16"):
            raise ValueError(
                f"precision={self.precision!r}: expected 'no' (float32) or 'bf16' "
                "(fp16 is not offered: it needs loss scaling and gains nothing over bf16)."
            )

    def total_steps(self, steps_per_epoch: int) -> int:
        """Optimiser steps of the whole run, from the number of batches an epoch."""
        return self.steps if self.steps is not None else self.epochs * steps_per_epoch


def _whole(value: object, low: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= low


def _number(value: object, low: float, high: float = math.inf) -> bool:
    """Whether value is finite and low <= value <= high."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return math.isfinite(value) and low <= value <= high


_OPTIONAL = ("steps", "grad_clip", "patience", "validate_every")  # None means: without
_RANGES = (
    (
        "epochs steps batch_size accumulation patience validate_every",
        "a whole number of at least 1",
        lambda value: _whole(value, 1),
    ),
    ("seed", "a whole number of at least 0", lambda value: _whole(value, 0)),
    ("lr grad_clip", "a number above 0", lambda value: _number(value, 0) and value > 0),
    ("warmup final_lr", "a number from 0 to 1", lambda value: _number(value, 0, 1)),
    (
        "weight_decay checkpoint_seconds",
        "a number of at least 0",
        lambda value: _number(value, 0),
    ),
)
