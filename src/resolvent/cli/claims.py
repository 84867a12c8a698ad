"""`resolvent claims`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from tyro.conf import Positional, arg

from resolvent.cli.errors import Usage, suggestion

if TYPE_CHECKING:
    from resolvent.papers import Claim, Paper


SEEDS = 3
"""Seeds for which the durations of claims are given."""


@dataclass(frozen=True)
class Command:
    """Run claims of the papers, and print what was measured beside what was published.

    Without a name the claims are listed: where each comes from, what it says, and about how long
    it takes. The exit code is 1 if a measurement contradicts its claim.

    Attributes:
        names: Claims, or papers with all of theirs.
        all: Run everything.
        list: List the claims, or those that are named, and run nothing.
        seeds: How many seeds to run.
    """

    EXAMPLES: ClassVar[str] = """examples:
  resolvent claims
  resolvent claims spike
  resolvent claims S4D --seeds 5"""

    names: Annotated[Positional[tuple[str, ...]], arg(metavar="NAME")] = ()
    all: bool = False
    list: bool = False
    seeds: int = SEEDS

    def run(self) -> int:
        """List them, or run them one after the other; each is printed when it is done."""
        if self.seeds < 1:
            raise Usage(f"--seeds: expected at least 1, got {self.seeds}")
        if self.all and self.names:
            raise Usage(f"--all runs every claim: leave it out, or {', '.join(self.names)}")
        chosen = _chosen(self.names)
        if self.list or not (self.names or self.all):
            _print_list(chosen)
            return 0
        held = []
        for number, (paper, claim) in enumerate(chosen, 1):
            print(f"\n{number}/{len(chosen)} {claim.name} ({paper.name}): {claim.statement}")
            held.append(_run(paper, claim, self.seeds))
        return 0 if all(held) else 1


def _chosen(names: tuple[str, ...]) -> list[tuple[Paper, Claim]]:
    """Claims by their own or their papers' names, each once.

    Raises:
        Usage: A name is unknown.
    """
    from resolvent.papers import ALL

    pairs = {claim.name: (paper, claim) for paper in ALL for claim in paper.claims}
    known = {name.lower(): [name] for name in pairs}
    for paper in ALL:
        known.setdefault(paper.name.lower(), []).extend(claim.name for claim in paper.claims)
    for name in names:
        if name.lower() not in known:
            raise Usage(
                f"no claim or paper {name!r}{suggestion(name.lower(), known)}; see resolvent claims"
            )
    wanted = dict.fromkeys(claim for name in names for claim in known[name.lower()])
    return [pairs[name] for name in wanted or pairs]


def _print_list(chosen: list[tuple[Paper, Claim]]) -> None:
    """A line a claim, and what all of them take."""
    rows = [(claim.name, paper.name, _about(claim.seconds)) for paper, claim in chosen]
    widths = [max(map(len, column)) + 2 for column in zip(*rows, strict=True)]
    for row, (_, claim) in zip(rows, chosen, strict=True):
        start = "".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
        print(f"{start}{claim.statement}")
    total = sum(claim.seconds for _, claim in chosen)
    print(f"\n{len(chosen)} claims, {_about(total)} in all; `resolvent claims NAME` runs one")


def _run(paper: Paper, claim: Claim, seeds: int) -> bool:
    """Run and print one claim; whether nothing contradicts it."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.table import Table

    about = f"of {_about(claim.seconds * seeds / SEEDS)}, {seeds} seeds"
    columns = SpinnerColumn(), TextColumn(claim.name), TimeElapsedColumn(), TextColumn(about)
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as p:
        p.add_task("", total=None)
        rows = claim.run(range(seeds))
    table = Table("quantity", "published", "measured", "holds")
    for row in rows:
        holds = {True: "yes", False: "NO", None: ""}[row.holds]
        table.add_row(row.quantity, row.published, row.measured, holds)
    Console().print(table)
    print(f"cite: {paper.authors}, {paper.title}, {paper.venue} {paper.year}", flush=True)
    return all(row.holds is not False for row in rows)


def _about(seconds: float) -> str:
    """A duration as people say it."""
    return f"about {seconds:.0f} s" if seconds < 100 else f"about {seconds / 60:.0f} min"
