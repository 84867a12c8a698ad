"""The contract run on one layer: a table of what holds, by how much, and what does not apply."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from resolvent.contract.promise import PROMISES, NotApplicable, Promise
from resolvent.contract.subject import Factory, Subject
from resolvent.contract.tolerance import Tolerance


@dataclass(frozen=True)
class Row:
    """How one promise fared.

    Attributes:
        promise: its name.
        meaning: its sentence.
        held: whether it held; None if it says nothing about this layer.
        error: largest relative error measured; None if nothing was measured.
        tolerance: the largest error that passes, and the reason for it.
        note: why the promise does not apply, or the exception that broke it.
    """

    promise: str
    meaning: str
    held: bool | None
    error: float | None
    tolerance: Tolerance
    note: str = ""


@dataclass(frozen=True)
class Report:
    """One row a promise.

    Attributes:
        rows: in the order of the contract.
    """

    rows: tuple[Row, ...]

    @property
    def held(self) -> bool:
        """Whether every promise that applies held."""
        return not self.broken

    @property
    def broken(self) -> tuple[Row, ...]:
        """The promises that did not hold."""
        return tuple(row for row in self.rows if row.held is False)


def verify(
    factory: Factory,
    *,
    d_model: int = 3,
    seed: int = 0,
    promises: Iterable[Promise] | None = None,
) -> Report:
    """Hold a layer to the contract.

    Args:
        factory: builds the layer: a function of the number of features.
        d_model: number of features to test at; some promises try others too.
        seed: decides weights and inputs.
        promises: which ones to measure; all by default.

    Returns:
        A report; a promise that raises an exception is a row that did not hold, and says why.
    """
    subject = Subject(factory, d_model, seed)
    chosen = PROMISES.values() if promises is None else promises
    return Report(tuple(_measure(promise, subject) for promise in chosen))


def _measure(promise: Promise, subject: Subject) -> Row:
    held, error, note = None, None, ""
    try:
        error = promise.worst(subject)
        held = error <= promise.tolerance.bound
    except NotApplicable as reason:
        note = str(reason)
    except Exception as problem:  # a user's layer may raise anything; the table must go on
        text = (str(problem).strip() or "no message").splitlines()[0]
        held, note = False, f"{type(problem).__name__}: {text}"
    return Row(promise.name, promise.meaning, held, error, promise.tolerance, note)
