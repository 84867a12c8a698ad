"""What a paper is here: a named choice on the axes of the core, and claims that can be run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from resolvent.layers import WholeMixer


@dataclass(frozen=True)
class Row:
    """One measured quantity of a claim.

    Attributes:
        quantity: what was measured, with its unit.
        published: what the paper or theory says, or "-" where it gives no number for this.
        measured: what came out, mean +- standard deviation over seeds where it is random.
        holds: whether the measurement supports the claim; None where there is nothing to judge.
    """

    quantity: str
    published: str
    measured: str
    holds: bool | None = None


@dataclass(frozen=True)
class Claim:
    """A statement of a paper and the smallest honest experiment on it.

    Attributes:
        name: short name, unique among all claims.
        statement: what is claimed, in one sentence.
        run: experiment; takes the seeds and returns measured beside published.
        seconds: about how long three seeds take on one core.
    """

    name: str
    statement: str
    run: Callable[[Sequence[int]], list[Row]]
    seconds: float


@dataclass(frozen=True)
class Paper:
    """A paper as a choice of structure, start, discretisation and execution.

    Attributes:
        name: the system's name.
        title: title of the paper.
        authors: authors as cited.
        year: year of publication.
        venue: where it appeared.
        choices: the choice on each axis, in words.
        layer: builds the layer for a d_model, or None where the paper is not a layer.
        claims: what can be run.
    """

    name: str
    title: str
    authors: str
    year: int
    venue: str
    choices: str
    layer: Callable[[int], WholeMixer] | None = None
    claims: tuple[Claim, ...] = ()

    def bibtex(self) -> str:
        """How to cite it."""
        key = f"{self.authors.split(',')[0].split()[-1].lower()}{self.year}{self.name.lower()}"
        return (
            f"@inproceedings{{{key},\n  title = {{{self.title}}},\n  author = {{{self.authors}}},\n"
            f"  booktitle = {{{self.venue}}},\n  year = {{{self.year}}},\n}}"
        )


def spread(values: Sequence[float], form: str = ".3g") -> str:
    """Mean +- standard deviation over seeds, as text."""
    mean = sum(values) / len(values)
    if len(values) == 1:
        return f"{mean:{form}}"
    deviation = (sum((v - mean) ** 2 for v in values) / (len(values) - 1)) ** 0.5
    return f"{mean:{form}} ± {deviation:{form}} ({len(values)} seeds)"


def yes_no(holds: bool) -> str:
    """A yes or no, as it is measured."""
    return "yes" if holds else "no"
