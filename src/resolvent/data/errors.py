"""The one error that unusable data gives, and the helpers that keep its message to one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

LIMIT = 300  # characters of a message: it must fit in a terminal and in a log line


class DataError(ValueError):
    """Data that cannot be used.

    The message is one line of at most 300 printable characters: where, what was found, what was
    expected, and what to do about it.
    """

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message, LIMIT))


def one_line(text: str, limit: int) -> str:
    """Return `text` without line breaks or control characters, at most `limit` characters long."""
    printable = "".join(c if c.isprintable() else " " for c in text[: 4 * limit])
    flat = " ".join(printable.split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def show(value: object, limit: int = 40) -> str:
    """Return `value` as it is quoted in a message: its repr, cut to `limit` characters."""
    if isinstance(value, str | bytes):
        value = value[: 4 * limit]
    return one_line(repr(value), limit)


@contextmanager
def decoding(kind: str, remedy: str) -> Iterator[None]:
    """Turn whatever a third-party decoder raises into a DataError.

    Decoders meet arbitrary bytes here, and none of them documents every exception it may raise;
    so this is the one place of the package that catches them all.

    Args:
        kind: What was being decoded, for example "a Parquet file".
        remedy: What the user can do about it.

    Raises:
        DataError: In place of any other exception raised inside.
    """
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        cause = one_line(f"{type(error).__name__}: {error}", 110)
        raise DataError(f"not readable as {kind} ({cause}); {remedy}") from error
