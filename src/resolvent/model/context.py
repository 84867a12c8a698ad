"""What a language model has read, as a value: save it, fork it, continue it, share its prefixes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from resolvent.layers import load_state, save_state, select_rows
from resolvent.model.network import LanguageNetwork

CHUNK = 2048
"""Most tokens of a row that are read at once: what a long prompt costs in memory."""


class Context(NamedTuple):
    """A model after reading some tokens; one row a text. Of constant size, if the state is.

    Attributes:
        state: the model's state.
        logits: of each row's next token (b, v).
        seen: (b, v) bool, tokens that occurred.
        length: (b,) number of tokens read.
    """

    state: tuple[Any, ...]
    logits: Tensor
    seen: Tensor
    length: Tensor

    def rows(self, index: Sequence[int]) -> Context:
        """Some rows, in any order and any number of times: a fork of each."""
        return select_rows(self, torch.tensor(index, device=self.logits.device))

    def save(self, path: str | Path) -> None:
        """Write it to a safetensors file, atomically."""
        save_state(self, path)


def empty_context(model: LanguageNetwork, rows: int) -> Context:
    """Before the first token; the logits are zeros."""
    like, size = model.like, model.config.vocab_size
    return Context(
        model.initial_state(rows),
        like.new_zeros(rows, size),
        torch.zeros(rows, size, dtype=torch.bool, device=like.device),
        torch.zeros(rows, dtype=torch.long, device=like.device),
    )


def load_context(model: LanguageNetwork, path: str | Path) -> Context:
    """Read what :meth:`Context.save` wrote, for the same model.

    Raises:
        ValueError: the file is damaged, or belongs to a model of another shape.
    """
    return load_state(path, empty_context(model, 1), model.grows)


@torch.no_grad()
def read(
    model: LanguageNetwork,
    prompts: Sequence[Tensor],
    context: Context | None = None,
    chunk: int = CHUNK,
) -> Context:
    """Read one prompt a row, of any lengths, in the memory that a chunk takes.

    Args:
        model: in evaluation mode.
        prompts: tokens (l_i,) of each row; empty ones leave their row as it is.
        context: what the rows have read before; nothing by default.
        chunk: most tokens of a row read at once.

    Returns:
        The rows' contexts after their prompts.

    Raises:
        ValueError: a row has read nothing at all, or the context has another number of rows.
    """
    before = empty_context(model, len(prompts)) if context is None else context
    if len(before.logits) != len(prompts):
        raise ValueError(
            f"prompts: expected one for each of the {len(before.logits)} rows of the context, got "
            f"{len(prompts)}"
        )
    if any(x.is_floating_point() and len(x) for x in prompts):
        raise ValueError("prompts: tokens must be integers, got floating-point numbers")
    device = before.logits.device
    lengths = torch.tensor([len(x) for x in prompts], device=device, dtype=torch.long)
    if not bool((lengths + before.length > 0).all()):
        raise ValueError("prompts: a row has no token to start from; give at least one")
    rows = [torch.as_tensor(x, device=device).long() for x in prompts]
    tokens = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    state, logits, seen, _ = before
    for start in range(0, tokens.shape[1], chunk):
        part = tokens[:, start : start + chunk]
        left = (lengths - start).clamp(0, part.shape[1])
        y, state = model.features(part, state, lengths=None if _full(left, part) else left)
        last = y[torch.arange(len(rows), device=device), (left - 1).clamp(min=0)]
        logits = torch.where((left > 0)[:, None], model.logits(last), logits)
    seen = seen.clone()
    for row, own in enumerate(rows):
        seen[row, own] = True
    return Context(state, logits, seen, before.length + lengths)


class PrefixCache:
    """Contexts of prompts already read, so that prompts which begin alike are read once.

    Args:
        model: reads what is not known yet.
        capacity: most contexts kept; the least recently used goes first.
    """

    def __init__(self, model: LanguageNetwork, capacity: int = 16):
        self.model, self.capacity = model, capacity
        self.kept: OrderedDict[tuple[int, ...], Context] = OrderedDict()

    def read(self, tokens: Sequence[int]) -> Context:
        """The context of one row that has read ``tokens``; at least one.

        Raises:
            ValueError: there are no tokens.
        """
        whole = tuple(int(x) for x in tokens)
        known = [x for x in self.kept if whole[: len(x)] == x]
        prefix = max(known, key=len, default=())
        context = self.kept.get(prefix)
        if prefix != whole or context is None:
            context = read(self.model, [torch.tensor(whole[len(prefix) :])], context)
        self.kept[whole] = context
        for used in (prefix, whole):
            if used in self.kept:
                self.kept.move_to_end(used)
        while len(self.kept) > self.capacity:
            self.kept.popitem(last=False)
        return context


def _full(left: Tensor, part: Tensor) -> bool:
    return bool((left == part.shape[1]).all())
