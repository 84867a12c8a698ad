"""Writes docs/claims.md: claims run, measured beside published. The page itself keeps the results.

python docs/make_claims.py [NAME ...] [--seeds 3] [--new]

NAME is a claim or a paper; the sections of all other claims stay as they are, so that the page can
be made in parts. Without names everything is run, which takes an hour.
"""

from __future__ import annotations

import argparse
import platform
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import torch

import resolvent
from resolvent.atomic import write_atomic
from resolvent.papers import ALL, Claim, Paper

PAGE = Path(__file__).parent / "claims.md"
INTRODUCTION = """What `python docs/make_claims.py` found, claim by claim; each section says when
and how.
"""
MARK = "### "


def main() -> None:
    """Run the chosen claims one after the other; the page is written anew after each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="claims, or papers with all of theirs")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--new", action="store_true", help="only those that have no section yet")
    options = parser.parse_args()
    sections = read_sections()
    chosen = [
        (paper, claim)
        for paper, claim in in_order()
        if (not options.names or {paper.name, claim.name} & {*options.names})
        and not (options.new and heading(paper, claim) in sections)
    ]
    known = {name for paper, claim in in_order() for name in (paper.name, claim.name)}
    if unknown := sorted({*options.names} - known):
        parser.error(f"no claim or paper is called {', '.join(unknown)}")
    write({})
    for paper, claim in chosen:
        write({heading(paper, claim): measure(claim, options.seeds)})


def in_order() -> Iterator[tuple[Paper, Claim]]:
    """Every claim with its paper, in the order of the papers."""
    return ((paper, claim) for paper in ALL for claim in paper.claims)


def heading(paper: Paper, claim: Claim) -> str:
    """What a section is found by."""
    return f"{paper.name}: {claim.name}"


def read_sections() -> dict[str, str]:
    """What stands under each heading of the page."""
    page = PAGE.read_text() if PAGE.exists() else ""
    parts = re.split(f"^{MARK}", page, flags=re.MULTILINE)[1:]
    return {head.strip(): body.strip() for head, _, body in (x.partition("\n") for x in parts)}


def measure(claim: Claim, seeds: int) -> str:
    """A section: the statement, a table, and how it was made."""
    lines = [f"{claim.statement[0].upper()}{claim.statement[1:]}.", ""]
    lines += ["| quantity | published | measured | holds |", "|---|---|---|---|"]
    for row in claim.run(range(seeds)):
        holds = {True: "yes", False: "**no**", None: ""}[row.holds]
        cells = (row.quantity, row.published, row.measured, holds)
        lines.append("| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |")
    n = torch.get_num_threads()
    threads = f"{n} thread{'s' if n > 1 else ''}"
    made = f"{seeds} seeds, version {resolvent.__version__}, {date.today()}"
    return "\n".join(
        [*lines, "", f"{made}, {threads} of {platform.machine()}, torch {torch.__version__}."]
    )


def write(new: dict[str, str]) -> None:
    """The page with new sections: what was never run, then claims that exist, in their order."""
    sections = {**read_sections(), **new}
    titles = {heading(paper, claim): claim for paper, claim in in_order()}
    missing = [f"`{claim.name}`" for title, claim in titles.items() if title not in sections]
    text = [INTRODUCTION, f"Not run yet: {', '.join(missing)}.\n"] if missing else [INTRODUCTION]
    text += [f"{MARK}{title}\n\n{sections[title]}\n" for title in titles if title in sections]
    write_atomic(PAGE, "\n".join(text))


if __name__ == "__main__":
    main()
