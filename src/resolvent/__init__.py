"""State-space sequence models: train in parallel, run the same weights as a recurrence.

    from resolvent import SequenceClassifier, SequenceRegressor

are the estimators; `resolvent.layers`, `resolvent.model`, `resolvent.initialize` and
`resolvent.analysis` the parts they are made of; `resolvent --help` the command.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from resolvent.estimators import SequenceClassifier, SequenceRegressor

__version__ = "0.1.0"

__all__ = ["SequenceClassifier", "SequenceRegressor", "__version__"]


PARTS = ("analysis", "data", "discretize", "initialize", "layers", "model", "papers", "train")
"""Subpackages that are attributes without an import of their own."""


def __getattr__(name: str) -> object:
    """Import estimators and parts when they are first asked for: torch takes seconds to load."""
    if name in ("SequenceClassifier", "SequenceRegressor"):
        return getattr(import_module("resolvent.estimators"), name)
    if name in PARTS:
        return import_module(f"resolvent.{name}")
    raise AttributeError(f"module 'resolvent' has no attribute {name!r}")
