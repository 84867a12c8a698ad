"""Text to tokens and back: bytes without any tool, or a tokenizer.json."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

FILE = "tokenizer.json"
UNFINISHED = "\N{REPLACEMENT CHARACTER}"


class Tokenizer(Protocol):
    """What text needs."""

    @property
    def vocab_size(self) -> int:
        """Number of tokens."""
        ...

    def encode(self, text: str) -> list[int]:
        """Tokens of a text."""
        ...

    def decode(self, tokens: Sequence[int]) -> str:
        """Text of tokens; what is no text becomes U+FFFD."""
        ...


class Bytes:
    """One token a byte of UTF-8, and one that is no text."""

    vocab_size = 257

    def encode(self, text: str) -> list[int]:
        """The bytes of a text."""
        return list(text.encode())

    def decode(self, tokens: Sequence[int]) -> str:
        """Text of bytes."""
        return bytes(x for x in tokens if x < 256).decode(errors="replace")


class FromFile:
    """A ``tokenizer.json`` as the `tokenizers` library writes it.

    Args:
        path: the file.

    Raises:
        ImportError: `tokenizers` is not installed.
        ValueError: the file is not one of its.
    """

    def __init__(self, path: str | Path):
        try:
            from tokenizers import Tokenizer as Rust
        except ImportError as error:
            raise ImportError(
                f"{path}: needs the package tokenizers; pip install 'resolvent[lm]'"
            ) from error
        try:
            self.own = Rust.from_file(str(path))
        except Exception as error:  # the library raises Exception itself
            raise ValueError(f"{path}: not a tokenizer file ({error})") from error

    @property
    def vocab_size(self) -> int:
        """Number of tokens, special ones included."""
        return self.own.get_vocab_size()

    def encode(self, text: str) -> list[int]:
        """Tokens of a text, without special ones around it."""
        return self.own.encode(text, add_special_tokens=False).ids

    def decode(self, tokens: Sequence[int]) -> str:
        """Text of tokens, without special ones."""
        return self.own.decode(list(tokens))


def find_tokenizer(folder: str | Path, vocab_size: int) -> Tokenizer | None:
    """The tokenizer of a model folder; bytes for 256 or 257 tokens without a file, else None."""
    path = Path(folder) / FILE
    if path.is_file():
        return FromFile(path)
    return Bytes() if vocab_size in (256, 257) else None


class TextStream:
    """Tokens of one row, one by one, to pieces of text; ends at the first stop string.

    A piece is held back while its last character is unfinished, and while it may be the beginning
    of a stop string. The stop string itself is not given out.

    Args:
        tokenizer: how to decode.
        stop: strings that end the text.
    """

    def __init__(self, tokenizer: Tokenizer, stop: Sequence[str] = ()):
        self.tokenizer, self.stop = tokenizer, [x for x in stop if x]
        self.tokens: list[int] = []
        self.anchor = self.settled = 0  # tokens before `settled` are text for good
        self.text = ""
        self.shown = 0
        self.stopped = False

    def push(self, token: int) -> str:
        """Take one more token; the text that is now certain and new."""
        self.tokens.append(token)
        text = self._text()
        if not text.endswith(UNFINISHED):
            self.anchor, self.settled, self.text = self.settled, len(self.tokens), text
        cuts = [i for s in self.stop if (i := text.find(s, max(self.shown - len(s), 0))) >= 0]
        self.stopped = bool(cuts)
        return self._show(text[: min(cuts)] if cuts else text[: len(text) - self._held(text)])

    def finish(self) -> str:
        """What was held back, when no more tokens come."""
        return "" if self.stopped else self._show(self._text())

    def _text(self) -> str:
        """All text so far. Tokens are decoded after one that is settled: some begin with a space
        that a decoder drops where a text begins.
        """
        before = self.tokenizer.decode(self.tokens[self.anchor : self.settled])
        return self.text + self.tokenizer.decode(self.tokens[self.anchor :])[len(before) :]

    def _held(self, text: str) -> int:
        """How many characters at the end are not certain."""
        certain, most = text.rstrip(UNFINISHED), 0
        for s in self.stop:
            sizes = range(min(len(s) - 1, len(certain)), 0, -1)
            most = max(most, next((n for n in sizes if certain.endswith(s[:n])), 0))
        return most + len(text) - len(certain)

    def _show(self, text: str) -> str:
        piece = text[self.shown :]
        self.shown = max(self.shown, len(text))
        return piece
