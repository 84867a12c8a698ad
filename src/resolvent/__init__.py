"""State-space sequence models: train in parallel, run the same weights as a recurrence.

    from resolvent import SequenceClassifier, SequenceRegressor

are the estimators; `resolvent.layers`, `resolvent.model`, `resolvent.initialize` and
`resolvent.analysis` the parts they are made of; `resolvent --help` the command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from resolvent.estimators import SequenceClassifier, SequenceRegressor

__version__ = "0.1.0"

__all__ = ["SequenceClassifier", "SequenceRegressor", "__version__"]


def __getattr__(name: str) -> object:
    """Import the estimators when they are first asked for: torch takes seconds to load."""
    if name in ("SequenceClassifier", "SequenceRegressor"):
        from resolvent import estimators

        return getattr(estimators, name)
    raise AttributeError(f"module 'resolvent' has no attribute {name!r}")
