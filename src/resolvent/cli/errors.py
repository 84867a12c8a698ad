"""Errors as one line on standard error and an exit code; the traceback only with --debug."""

from __future__ import annotations

import difflib
import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

EXPECTED = (ValueError, TypeError, OSError, ArithmeticError, ImportError, MemoryError)
"""What a user's input may raise; anything else is a fault of this package and says so."""


class Usage(ValueError):
    """The command line itself is wrong."""


@dataclass
class Outcome:
    """The exit code of a command."""

    code: int = 0


@contextmanager
def one_line_errors(debug: bool) -> Iterator[Outcome]:
    """Turn exceptions into one line and exit code 2; interruptions into 130; warnings into a line.

    Args:
        debug: Let exceptions through, traceback and all.
    """
    outcome = Outcome()
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            yield outcome
        except BrokenPipeError:  # the reader, such as head, has enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except KeyboardInterrupt as interruption:
            if debug:
                raise
            outcome.code = _say(str(interruption) or "interrupted", 130)
        except EXPECTED as error:
            if debug:
                raise
            outcome.code = _say(f"error: {_text(error)}", 2)
        except Exception as error:
            if debug:
                raise
            outcome.code = _say(
                f"error: unexpected {type(error).__name__}: {_text(error)}; this is a fault of "
                "resolvent: please report it with the output of the same command and --debug",
                2,
            )


def suggestion(word: str, known: Iterable[str]) -> str:
    """Text that names the known word closest to a mistyped one; empty if none is close."""
    close = difflib.get_close_matches(word, list(known), 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _text(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: {error.strerror}; check the path"
        return where if error.filename else error.strerror
    return str(error) or type(error).__name__


def _say(text: str, code: int) -> int:
    print(f"resolvent: {' '.join(text.split())}", file=sys.stderr)
    return code


def _show_warning(message, category, filename, lineno, file=None, line=None) -> None:
    _say(f"warning: {message}", 0)
