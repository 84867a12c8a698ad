"""The command `resolvent`: one module a subcommand, imported when it is called.

Nothing here imports torch, so that help and mistyped commands answer at once.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from resolvent import __version__
from resolvent.cli.errors import Usage, one_line_errors, suggestion
from resolvent.cli.parse import parse

COMMANDS = {
    "fit": "train a model on series, and write a run folder with a report",
    "evaluate": "score a run on labelled series",
    "predict": "labels and probabilities for every series of a file",
    "stream": "a prediction after every row, from standard input or a file",
    "train-lm": "train a language model on a text",
    "generate": "continue a text with a language model",
    "convert": "a language model in another layout",
    "inspect": "pictures of what a trained model remembers",
    "papers": "the papers that are implemented, and how to cite them",
    "claims": "run the papers' claims: measured beside published",
    "verify": "hold your own layer to the contract",
    "bench": "time the ops on this machine, beside others and beside its limits",
    "doctor": "versions, threads, and what each op runs on",
}

HELP = f"""Resolvent {__version__}: state-space sequence models.

usage: resolvent COMMAND [...]          resolvent COMMAND --help teaches each one

commands:
{{commands}}

examples:
  resolvent fit --list                          series that come by name
  resolvent fit gunpoint                        train on them; writes runs/gunpoint
  resolvent fit machines.csv --target fault     train on your own table
  resolvent predict runs/gunpoint new.csv --out predictions.csv
  tail -f sensor.csv | resolvent stream runs/machines

Add --debug to any command to see the traceback of an error.
""".format(commands="\n".join(f"  {name:10}{words}" for name, words in COMMANDS.items()))


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code: 0, 1 where a check failed, 2 for an error."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    with one_line_errors(debug) as outcome:
        outcome.code = _run(arguments)
    return outcome.code


def _run(arguments: list[str]) -> int:
    name, *rest = arguments or ["--help"]
    if name in ("-h", "--help", "help"):
        print(HELP, end="")
        return 0
    if name in ("-V", "--version", "version"):
        print(f"resolvent {__version__}")
        return 0
    if name not in COMMANDS:
        raise Usage(f"no command {name!r}{suggestion(name, COMMANDS)}; see resolvent --help")
    module = importlib.import_module(f"resolvent.cli.{name.replace('-', '_')}")
    command = parse(module.Command, f"resolvent {name}", rest)
    return command.run() or 0
