"""Writes benchmarks/results.md: the ops and models of the package beside others, measured here.

python benchmarks/make_results.py [NAME ...] [--new] [OPTIONS of the one script that is named]

NAME is an op of `resolvent bench` or a script of this folder; the sections of all others stay as
they are, so that the page can be made in parts. Without names everything is run, which takes half
an hour. Every script and `resolvent bench` compare results before they time them.
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
from datetime import date
from pathlib import Path

from resolvent.atomic import write_atomic
from resolvent.bench import CASES, about

HERE = Path(__file__).parent
PAGE = HERE / "results.md"
INTRODUCTION = """# Measured

What `python benchmarks/make_results.py` measured. Each section says where, when, and by which
command; results were compared before they were timed, and what was wrong was not timed. Times are
medians of calls that take turns; those of the others are multiples of ours (above 1: ours is
faster). "reached" is the share of the machine's measured limit that the plain arithmetic of the op,
or the memory that it must move, makes up.
"""
MARK = "## "
SCRIPTS = [
    *sorted(HERE.rglob("bench_*.py")),
    HERE / "language_inference.py",
]


def main() -> None:
    """Run the chosen measurements one after the other; the page is written anew after each."""
    commands = known()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(commands))
    parser.add_argument("--new", action="store_true", help="only those that have no section yet")
    options, passed_on = parser.parse_known_args()
    if passed_on and len(options.names) != 1:
        parser.error(f"{' '.join(passed_on)}: options are for one script; name it")
    if unknown := sorted({*options.names} - {*commands}):
        parser.error(f"nothing is called {', '.join(unknown)}; there are {', '.join(commands)}")
    sections = read_sections(PAGE.read_text() if PAGE.exists() else "")
    failed = []
    for name in options.names or commands:
        if options.new and name in sections:
            continue
        print(f"measuring {name}", flush=True)
        sections[name], code = measure(name, [*commands[name], *passed_on])
        failed += [name] * (code != 0)
        write_atomic(PAGE, page(sections))
    if failed:
        raise SystemExit(f"wrong or broken: {', '.join(failed)}")


def known() -> dict[str, list[str]]:
    """The command of every measurement, as arguments of Python."""
    ops = {name: ["-m", "resolvent", "bench", name] for name in CASES}
    return ops | {x.stem: [str(x.relative_to(HERE.parent))] for x in SCRIPTS if x.exists()}


def read_sections(text: str) -> dict[str, str]:
    """What stands under each heading of the page."""
    parts = re.split(f"^{MARK}", text, flags=re.MULTILINE)[1:]
    return {head.strip(): body.strip() for head, _, body in (x.partition("\n") for x in parts)}


def measure(name: str, command: list[str]) -> tuple[str, int]:
    """A section, and the exit code of its command."""
    done = subprocess.run(
        [sys.executable, *command], cwd=HERE.parent, stdout=subprocess.PIPE, text=True, check=False
    )
    # the command's own headings stand below that of its section
    said = re.sub(r"^#+ .*\n", "", done.stdout, flags=re.MULTILINE).strip()
    lines = [f"`python {shlex.join(command)}`, {date.today()}", "", said]
    if done.returncode:
        lines += ["", f"**The command ended with exit code {done.returncode}.**"]
    if name in CASES:
        lines[:0] = [about(name), ""]
    return "\n".join(lines), done.returncode


def page(sections: dict[str, str]) -> str:
    """The page, its sections in the order of the commands."""
    there = [name for name in known() if name in sections]
    return "\n".join([INTRODUCTION, *(f"{MARK}{name}\n\n{sections[name]}\n" for name in there)])


if __name__ == "__main__":
    main()
