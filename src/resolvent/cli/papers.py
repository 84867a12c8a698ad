"""`resolvent papers`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from tyro.conf import Positional, arg

from resolvent.cli.errors import Usage, suggestion

if TYPE_CHECKING:
    from resolvent.papers import Paper


@dataclass(frozen=True)
class Command:
    """The papers that are implemented: a table, or one of them with its choices and citation.

    Attributes:
        name: One paper.
        bibtex: Print entries for a bibliography only.
    """

    EXAMPLES: ClassVar[str] = """examples:
  resolvent papers
  resolvent papers S5
  resolvent papers --bibtex > references.bib"""

    name: Annotated[Positional[str | None], arg(metavar="NAME")] = None
    bibtex: bool = False

    def run(self) -> int:
        """Print the table, or the paper."""
        from resolvent.papers import ALL

        papers = ALL if self.name is None else (_find(self.name),)
        if self.bibtex:
            print("\n\n".join(dict.fromkeys(paper.bibtex() for paper in papers)))
        elif self.name is None:
            _print_table(papers)
        else:
            _print_paper(papers[0])
        return 0


def _find(name: str) -> Paper:
    """The paper of that name, in any case.

    Raises:
        Usage: There is none.
    """
    from resolvent.papers import ALL

    known = {paper.name.lower(): paper for paper in ALL}
    if name.lower() not in known:
        names = ", ".join(paper.name for paper in ALL)
        raise Usage(f"no paper {name!r}{suggestion(name.lower(), known)}; there are {names}")
    return known[name.lower()]


def _print_table(papers: tuple[Paper, ...]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("name", "paper", "choices", "claims")
    for paper in papers:
        title = f"{paper.title} ({paper.authors.split(',')[0]} et al., {paper.year})"
        table.add_row(paper.name, title, paper.choices, str(len(paper.claims)))
    Console().print(table)


def _print_paper(paper: Paper) -> None:
    print(f"{paper.name}: {paper.title}\n{paper.authors}, {paper.venue} {paper.year}\n")
    print(f"choices  {paper.choices}")
    for claim in paper.claims:
        print(f"claim    {claim.name}: {claim.statement} (about {claim.seconds:.0f} s)")
    print(f"\n{paper.bibtex()}")
