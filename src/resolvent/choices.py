"""What may be chosen about a run: one list of settings for the command and the estimators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
        batch_size: Series a step. None: an eighth of the training part, from 8 to 32.
        lr: Peak learning rate; state matrices and step sizes learn at most at 1e-3.
        validation: Share of the training set held out, whole groups if there are any. None: 0.2 of
            1,000 series or more, or where no test set is given; else nothing.
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
        for name in ("validation", "label_smoothing"):
            share = getattr(self, name)
            if share is not None and not 0 <= share < 1:
                raise ValueError(
                    f"{name}: expected a share of at least 0 and below 1, got {share!r}"
                )
        if self.patience is not None and self.patience < 1:
            raise ValueError(f"patience: expected at least 1, or None, got {self.patience!r}")
        _check_seed(self.seed)


def _check_seed(seed: int) -> None:
    """Refuse a seed that the generators would."""
    if seed < 0:
        raise ValueError(f"seed: expected a whole number of at least 0, got {seed!r}")


LanguageName = Literal[
    "mamba",
    "mamba2",
    "mamba3",
    "h3",
    "h3-hybrid",
    "hyena",
    "gla",
    "retnet",
    "deltanet",
    "gated-deltanet",
    "deltaproduct",
    "kda",
    "s4d",
    "lstm",
    "transformer",
]


def _h3_hybrid(depth: int) -> tuple[str, ...]:
    """Attention in the second layer and after the middle (Fu et al. 2023, section 3.3)."""
    attention = {1, depth // 2 + 1} if depth > 2 else {depth - 1}
    mixers = ["Attention" if i in attention else "H3" for i in range(depth)]
    return tuple(name for mixer in mixers for name in (mixer, "MLP"))


def _stack(*layers: str) -> Callable[[int], tuple[str, ...]]:
    return lambda depth: layers * depth


LANGUAGE_MODELS: Mapping[str, tuple[Callable[[int], tuple[str, ...]], dict[str, Any]]] = (
    MappingProxyType(
        {
            "mamba": (_stack("Mamba"), {}),
            "mamba2": (_stack("Mamba2"), {}),
            "mamba3": (_stack("Mamba3", "MLP"), {}),
            "h3": (_stack("H3", "MLP"), {}),
            "h3-hybrid": (_h3_hybrid, {}),
            "hyena": (_stack("Hyena", "MLP"), {}),
            "gla": (_stack("LinearAttention", "MLP"), {}),
            "retnet": (
                _stack("LinearAttention", "MLP"),
                {"layer_options": {"LinearAttention": {"decay": "fixed"}}},
            ),
            "deltanet": (_stack("DeltaNet", "MLP"), {}),
            "gated-deltanet": (_stack("GatedDeltaNet", "MLP"), {}),
            "deltaproduct": (_stack("GatedDeltaProduct", "MLP"), {}),
            "kda": (_stack("KDA", "MLP"), {}),
            "s4d": (_stack("S4D"), {"mix": "glu"}),
            "lstm": (_stack("LSTM"), {}),
            "transformer": (_stack("Attention", "MLP"), {}),
        }
    )
)
"""Language models by name: the blocks of a stack of some depth, and other fields of the config."""


@dataclass(frozen=True)
class LanguageChoices:
    """A language model's run as its user describes it.

    Attributes:
        model: Layers, by the name of the paper.
        d_model: Features.
        n_layers: Layers; a position-wise network beside each is not counted.
        length: Tokens that are predicted together.
        batch_size: Windows an optimiser step.
        epochs: Passes over the learned part of the text.
        steps: Optimiser steps; given, epochs are ignored.
        lr: Peak learning rate.
        dropout: Probability in [0, 1).
        held_out: Share of the text, its end, that is not learned from but judged by.
        tokenizer: A tokenizer.json; None: bytes.
        separator: What lies between the documents of a file; None: a file is one document.
        seed: Origin of all randomness.

    Raises:
        ValueError: A value is out of range.
    """

    model: LanguageName = "mamba"
    d_model: int = 128
    n_layers: int = 4
    length: int = 256
    batch_size: int = 16
    epochs: int = 1
    steps: int | None = None
    lr: float = 3e-3
    dropout: float = 0.0
    held_out: float = 0.05
    tokenizer: str | None = None
    separator: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.model not in LANGUAGE_MODELS:
            raise ValueError(
                f"model: {self.model!r} is unknown; choose one of {', '.join(LANGUAGE_MODELS)}"
            )
        if not 0 < self.held_out < 1:
            raise ValueError(f"held_out: expected a share between 0 and 1, got {self.held_out!r}")
        for name in ("d_model", "n_layers", "length", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: must be at least 1, got {getattr(self, name)!r}")
        _check_seed(self.seed)
