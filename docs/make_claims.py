"""Writes docs/claims.md: every claim run, measured beside published. Takes minutes.

python docs/make_claims.py [--seeds 3]
"""

from __future__ import annotations

import argparse
import platform
from datetime import date
from pathlib import Path

import torch

import resolvent
from resolvent.atomic import write_atomic
from resolvent.papers import ALL

PAGE = Path(__file__).parent / "claims.md"


def main() -> None:
    """Run the claims one after the other; the page is written anew after each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    threads, processor = torch.get_num_threads(), platform.machine()
    machine = f"{threads} threads of {processor}, torch {torch.__version__}"
    lines = [
        f"Made by `python docs/make_claims.py --seeds {args.seeds}` with version "
        f"{resolvent.__version__} on {date.today()}: {machine}.",
        "",
    ]
    claims = [(paper, claim) for paper in ALL for claim in paper.claims]
    for paper, claim in sorted(claims, key=lambda pair: pair[1].seconds):
        lines += [f"### {paper.name}: {claim.name}", "", f"{claim.statement}.", ""]
        lines += ["| quantity | published | measured | holds |", "|---|---|---|---|"]
        for row in claim.run(range(args.seeds)):
            holds = {True: "yes", False: "**no**", None: ""}[row.holds]
            cells = (row.quantity, row.published, row.measured, holds)
            lines.append("| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |")
        lines.append("")
        write_atomic(PAGE, "\n".join(lines))


if __name__ == "__main__":
    main()
