"""What may be chosen about a run: one list of settings for the command and the estimators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

ModelName = Literal[
    "s5-ptd", "s5", "s4d", "s4d-lin", "s4d-inv", "s4-ptd", "s4", "dss", "lru", "lssl"
]

MODELS: Mapping[str, tuple[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "s5-ptd": ("S5", {"init": "ptd"}),
        "s5": ("S5", {"init": "legs"}),
        "s4d": ("S4D", {"init": "legs"}),
        "s4d-lin": ("S4D", {"init": "lin"}),
        "s4d-inv": ("S4D", {"init": "inv"}),
        "s4-ptd": ("S4D", {"init": "ptd"}),
        "s4": ("S4", {}),
        "dss": ("DSS", {}),
        "lru": ("LRU", {}),
        "lssl": ("LSSL", {}),
    }
)
"""Models by name: a layer of `resolvent.layers.ALL` and its options."""


@dataclass(frozen=True)
class Choices:
    """A run as its user describes it; None leaves a number to the size of the training set.

    Attributes:
        model: Layer and initialisation, by the name of the paper.
        d_model: Features.
        d_state: Real states: of the whole layer for S5 and LRU, of each feature for the others.
        n_layers: Blocks.
        dropout: Probability in [0, 1), one mask a series and feature.
        label_smoothing: Probability spread evenly over the classes in the loss.
        bidirectional: Read in both directions; such a model cannot be streamed.
        epochs: Passes over the training part. None: 40, or as many as make 600 steps.
        batch_size: Series a step. None: an eighth of the training part, from 4 to 32.
        lr: Peak learning rate; state matrices and step sizes learn at most at 1e-3.
        validation: Share of the training set held out, whole groups if there are any. None: 0.2 of
            100 series or more, nothing of less.
        patience: Looks at the held-out part without improvement before training stops; there are
            about fifty of them in a run.
        seed: Origin of all randomness.

    Raises:
        ValueError: A value is out of range; the message names it.
    """

    model: ModelName = "s5-ptd"
    d_model: int = 64
    d_state: int = 64
    n_layers: int = 3
    dropout: float = 0.1
    label_smoothing: float = 0.0
    bidirectional: bool = False
    epochs: int | None = None
    batch_size: int | None = None
    lr: float = 4e-3
    validation: float | None = None
    patience: int | None = 15
    seed: int = 0

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise ValueError(f"model: {self.model!r} is unknown; choose one of {', '.join(MODELS)}")
        if self.validation is not None and not 0 <= self.validation < 1:
            raise ValueError(
                f"validation: expected a share of at least 0 and below 1, got {self.validation!r}"
            )
