"""From arguments to a command: tyro's parser, with help that teaches and errors in one line."""

from __future__ import annotations

import inspect
import io
import re
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import TypeVar

import tyro

from resolvent.cli.errors import Usage

Command = TypeVar("Command")

RULE = re.compile(r"[─╭╰╮╯]{3,}")
HELP_TEXT = re.compile(r"│ {9,}")
OPTION = re.compile(r"--[a-z][a-z-]*")
REWORDED = (
    (re.compile(r"^error parsing (?!-)\S+: "), ""),  # a check of several options: says which itself
    (re.compile(r"invalid literal for int\(\) with base 10: "), "expected a whole number, got "),
    (re.compile(r"could not convert string to float: "), "expected a number, got "),
    (re.compile(r"^error parsing (-\S+): (?:.*(?=expected a ))?"), r"\1: "),
    (re.compile(r"^missing from resolvent \S+: "), "missing: "),
)
"""Phrases of Python and of the parser, and how they are said here."""


def parse(command: type[Command], program: str, arguments: Sequence[str]) -> Command:
    """Fill in a command's dataclass from arguments, or print its help and leave.

    Args:
        command: A dataclass; its `EXAMPLES` follow the summary in the help.
        program: What was typed to get here.
        arguments: The rest.

    Raises:
        Usage: The arguments do not fit; the message is one sentence.
    """
    summary = inspect.cleandoc(command.__doc__ or "").split("\n\nAttributes:")[0]

    def fill_in() -> Command:
        return tyro.cli(
            command,
            prog=program,
            description=f"{summary}\n\n{getattr(command, 'EXAMPLES', '')}",
            args=arguments,
            config=(tyro.conf.FlagCreatePairsOff, tyro.conf.DisallowNone),
        )

    # not a terminal, so no colours; UTF-8, so frames are drawn with lines
    shown, said = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.StringIO()
    try:
        with redirect_stdout(shown), redirect_stderr(said):
            return fill_in()
    except SystemExit as exit:
        if not exit.code:
            return fill_in()  # help was asked for: once more, for all to see
    raise Usage(f"{_sentence(said.getvalue())}; see {program} --help")


def _sentence(box: str) -> str:
    """What a framed message of the parser says, without frame, hints and help texts."""
    sections: list[list[str]] = [[]]
    for line in box.splitlines():
        if RULE.search(line):
            sections.append([])
        elif not HELP_TEXT.match(line) and (text := line.strip("│ ")):
            sections[-1].append(text)
    first, *hints = [lines for lines in sections if lines] or [["the arguments do not fit"]]
    sentence = " ".join(" ".join(first).split()).rstrip(".:")
    if hints and hints[0][0].startswith("Perhaps you meant"):
        options = dict.fromkeys(OPTION.findall(" ".join(hints[0][1:])))
        sentence += f"; did you mean {' or '.join(list(options)[:2])}?"
    sentence = sentence[:1].lower() + sentence[1:]
    for said, meant in REWORDED:
        sentence = said.sub(meant, sentence)
    return sentence
