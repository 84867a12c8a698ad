"""`resolvent claims`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from tyro.conf import Positional, arg

from resolvent.cli.errors import Usage, suggestion

if TYPE_CHECKING:
    from resolvent.papers import Claim, Paper


@dataclass(frozen=True)
class Command:
    """Run claims of the papers, and print what was measured beside what was published.

    The exit code is 1 if a measurement contradicts its claim.

    Attributes:
        names: Claims, or papers with all of theirs; everything by default.
        list: Say what there is and how long it takes, and run nothing.
        seeds: How many seeds to run.
    """

    EXAMPLES: ClassVar[str] = """examples:
  resolvent claims --list
  resolvent claims S4D --seeds 5"""

    names: Annotated[Positional[tuple[str, ...]], arg(metavar="NAME")] = ()
    list: bool = False
    seeds: int = 3

    def run(self) -> int:
        """Run them one after the other; each is printed when it is done."""
        if self.seeds < 1:
            raise Usage(f"--seeds: expected at least 1, got {self.seeds}")
        chosen = _chosen(self.names)
        if self.list:
            for paper, claim in chosen:
                print(
                    f"{claim.name:24}{paper.name:10}about {claim.seconds:5.0f} s  {claim.statement}"
                )
            return 0
        held = [_run(paper, claim, self.seeds) for paper, claim in chosen]
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
                f"no claim or paper {name!r}{suggestion(name.lower(), known)}; see "
                "resolvent claims --list"
            )
    wanted = dict.fromkeys(claim for name in names for claim in known[name.lower()])
    return [pairs[name] for name in wanted or pairs]


def _run(paper: Paper, claim: Claim, seeds: int) -> bool:
    """Run and print one claim; whether nothing contradicts it."""
    from rich.console import Console
    from rich.table import Table

    print(f"\n{claim.name} ({paper.name}): {claim.statement}", flush=True)
    rows = claim.run(range(seeds))
    table = Table("quantity", "published", "measured", "holds")
    for row in rows:
        holds = {True: "yes", False: "NO", None: ""}[row.holds]
        table.add_row(row.quantity, row.published, row.measured, holds)
    Console().print(table)
    print(f"cite: {paper.authors}, {paper.title}, {paper.venue} {paper.year}", flush=True)
    return all(row.holds is not False for row in rows)
