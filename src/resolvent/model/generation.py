"""Text from a language model, token by token, for any number of prompts at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from resolvent.model.context import Context, read
from resolvent.model.decoder import Decoder
from resolvent.model.network import LanguageNetwork
from resolvent.model.sampling import Sampler, Sampling
from resolvent.model.tokenizer import TextStream

Prompts = str | Sequence[str] | Tensor | Sequence[Sequence[int]]


class Generation:
    """An iterator over the steps of a generation; each gives the new piece of text of every row.

    Rows end at a stop string, at an end token, or after ``max_tokens``; a row that has ended gives
    empty pieces, and its state stays as it is. After any step, ``context`` is all that was read and
    chosen so far, and another generation may continue it.

    Args:
        model: in evaluation mode.
        prompts: one text or many, read after what ``context`` holds; or tokens (b, l), or one
            sequence of them a row, and then the pieces are lists of tokens.
        max_tokens: most tokens a row.
        sampling: how tokens are chosen.
        stop: a string or many, or tokens as numbers, that end a row; beside the model's own end
            tokens.
        context: what the rows have read before.

    Attributes:
        decoder: what reads the chosen tokens; its ``reason`` says why this is slow, if it is.
        tokens: the tokens chosen so far, one list a row.
        pieces: the text (or the tokens) given out so far, one a row.

    Raises:
        ValueError: an argument is out of range; texts are given but the model has no tokenizer; or
            as :func:`resolvent.model.context.read`.
    """

    def __init__(
        self,
        model: LanguageNetwork,
        prompts: Prompts,
        max_tokens: int = 128,
        sampling: Sampling | None = None,
        stop: str | Sequence[str | int] = (),
        context: Context | None = None,
    ):
        rows = [prompts] if isinstance(prompts, str) else list(prompts)
        stop = (stop,) if isinstance(stop, str) else stop
        _check(rows, max_tokens, stop)
        texts = isinstance(rows[0], str)
        words = [x for x in stop if isinstance(x, str)]
        tokenizer = model.need_tokenizer() if texts or words else None
        self.left = max_tokens
        self.streams = [TextStream(tokenizer, words) if tokenizer else None for _ in rows]
        encoded = [tokenizer.encode(x) if texts else x for x in rows]  # type: ignore[union-attr, arg-type]
        start = read(model, [torch.as_tensor(x) for x in encoded], context)
        self.decoder = Decoder(model, start)
        self.sampler = Sampler(sampling or Sampling(), len(rows))
        self.ends = {*model.end_tokens, *(x for x in stop if isinstance(x, int))}
        self.texts = texts
        self.alive = torch.ones(len(rows), dtype=torch.bool)
        self.tokens: list[list[int]] = [[] for _ in rows]
        self.pieces: list = ["" if texts else [] for _ in rows]

    @property
    def context(self) -> Context:
        """All that was read and chosen so far, as a value."""
        return self.decoder.context

    def __iter__(self) -> Iterator[list]:
        return self

    @torch.no_grad()
    def __next__(self) -> list:
        if self.left <= 0 or not bool(self.alive.any()):
            raise StopIteration
        self.left -= 1
        chosen = self.sampler(self.decoder.logits, self.decoder.seen).cpu()
        before, new = self.alive.clone(), []
        for row, token in enumerate(chosen.tolist()):
            new.append(self._take(row, token) if before[row] else "" if self.texts else [])
        # a chosen token is read even where it ends its row: the context is never behind the text
        self.decoder.read(chosen, before)
        self.pieces = [x + y for x, y in zip(self.pieces, new, strict=True)]
        return new

    def _take(self, row: int, token: int) -> str | list[int]:
        """The piece that a row gives out for its token, and whether the row ends."""
        stream, last = self.streams[row], self.left == 0
        self.tokens[row].append(token)
        if token in self.ends:
            self.alive[row] = False
            return stream.finish() if stream and self.texts else [] if not self.texts else ""
        piece = stream.push(token) if stream else ""
        if stream and stream.stopped:
            self.alive[row] = False
        elif stream and last:
            piece += stream.finish()
        return piece if self.texts else [token]


def _check(rows: list, max_tokens: int, stop: Sequence[str | int]) -> None:
    if not rows:
        raise ValueError("prompts: got none; give a text, or a sequence of tokens, for each row")
    if len({isinstance(x, str) for x in rows}) > 1:
        raise ValueError("prompts: got texts and tokens; give one kind for all rows")
    if any(isinstance(x, int) or (isinstance(x, Tensor) and x.ndim != 1) for x in rows):
        raise ValueError("prompts: expected a sequence of tokens a row; for one row give [tokens]")
    if not isinstance(max_tokens, int) or max_tokens < 0:
        raise ValueError(f"max_tokens: expected a whole number of at least 0, got {max_tokens!r}")
    if "" in stop:
        raise ValueError("stop: an empty string stands everywhere; leave it out")
