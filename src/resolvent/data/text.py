"""Texts as tokens on disk: packed documents in a memory-mapped file, cut into windows.

A token file is one long array. Every document starts with the boundary token, before which a model
drops its past, so that documents which share a window do not see each other. Windows overlap by one
token: the last of one is the first of the next, and every token but the file's first is predicted
once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from resolvent.atomic import writing
from resolvent.data.errors import DataError
from resolvent.data.loader import Batch, BucketSampler

BLOCK = 1 << 20
"""Characters of a document that are encoded at once."""


def documents(source: str | Path, separator: str | None = None) -> Iterator[str]:
    """The texts of a file, or of all files of a folder in the order of their names.

    Args:
        source: a file of UTF-8, or a folder of them; bytes that are not UTF-8 become U+FFFD.
        separator: a string between the documents of a file; None: a file is one document.

    Raises:
        DataError: there is no such file, or nothing in it.
    """
    path = Path(source)
    files = sorted(x for x in path.rglob("*") if x.is_file()) if path.is_dir() else [path]
    if not path.exists() or not files:
        raise DataError(f"source: expected a text file or a folder of them, found none at {path}")
    found = False
    for file in files:
        text = file.read_text(encoding="utf-8", errors="replace")
        for part in [text] if separator is None else text.split(separator):
            if part:
                found = True
                yield part
    if not found:
        raise DataError(f"source: {path} holds no text")


def digest(texts: Iterable[str], tokenizer: bytes = b"") -> tuple[str, int]:
    """What tells these texts, read by this tokenizer's file, from all others; and their bytes.

    It takes the memory of one document.
    """
    found, size = hashlib.sha256(hashlib.sha256(tokenizer).digest()), 0
    for text in texts:
        document = text.encode()
        size += len(document)
        found.update(hashlib.sha256(document).digest())
    return found.hexdigest(), size


def write_tokens(
    texts: Iterable[str],
    encode: Callable[[str], Sequence[int]],
    path: str | Path,
    vocab_size: int,
    boundary: int | None,
) -> None:
    """Encode documents into one token file, in the memory that a piece of a document takes.

    Args:
        texts: the documents.
        encode: tokens of a text; long documents are encoded in pieces that end with a line.
        path: the file; written whole or not at all.
        vocab_size: decides the width of the numbers, 2 or 4 bytes.
        boundary: the token before each document; None: nothing is put there.
    """
    with writing(path) as file:
        for tokens in encoded(texts, encode, boundary):
            file.write(np.asarray(tokens, _dtype(vocab_size)).tobytes())


def encoded(
    texts: Iterable[str], encode: Callable[[str], Sequence[int]], boundary: int | None
) -> Iterator[Sequence[int]]:
    """The tokens of documents, a piece at a time; arguments as in `write_tokens`."""
    for text in texts:
        if boundary is not None:
            yield (boundary,)
        yield from map(encode, _pieces(text))


def open_tokens(path: str | Path, vocab_size: int) -> np.ndarray:
    """The tokens of a file, mapped into memory and read as they are needed: (n,)."""
    return np.memmap(path, _dtype(vocab_size), "r")


class Windows(Dataset):
    """Windows of ``length`` predictions over tokens (n,); the last one may be shorter.

    Args:
        tokens: any array of integers, such as `open_tokens` gives.
        length: predictions a window.

    Raises:
        DataError: there are fewer than two tokens.
    """

    def __init__(self, tokens: np.ndarray, length: int):
        if len(tokens) < 2:
            raise DataError(f"tokens: found {len(tokens)}; expected at least 2, to predict one")
        self.tokens, self.length = tokens, length

    def __len__(self) -> int:
        return -(-(len(self.tokens) - 1) // self.length)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        start = index * self.length
        return np.asarray(self.tokens[start : start + self.length + 1], np.int64), index


def make_window_loader(
    windows: Windows, batch_size: int, seed: int = 0, shuffle: bool = True
) -> DataLoader:
    """Batches of windows: x (b, length + 1) tokens, lengths and y (b,) predictions of each row.

    Rows are padded with 0 to one width. The order is a pure function of (seed, epoch).
    """
    width = windows.length + 1

    def collate(items: Sequence[tuple[np.ndarray, int]]) -> Batch:
        x = torch.zeros(len(items), width, dtype=torch.long)
        for row, (tokens, _) in enumerate(items):
            x[row, : len(tokens)] = torch.from_numpy(tokens)
        counts = torch.tensor([len(tokens) - 1 for tokens, _ in items])
        return Batch(x, counts, counts, torch.tensor([index for _, index in items]))

    sampler = BucketSampler(np.full(len(windows), windows.length), batch_size, seed, shuffle)
    return DataLoader(
        windows, batch_sampler=sampler, collate_fn=collate, generator=torch.Generator()
    )


def _pieces(text: str) -> Iterator[str]:
    """A long text in pieces of about BLOCK characters, each up to the end of a line."""
    start = 0
    while start < len(text):
        stop = text.find("\n", start + BLOCK)
        stop = len(text) if stop < 0 else stop + 1
        yield text[start:stop]
        start = stop


def _dtype(vocab_size: int) -> np.dtype:
    return np.dtype("<u2" if vocab_size <= 1 << 16 else "<u4")
