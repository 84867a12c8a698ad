"""Reading a token a row after the other, from preallocated states: what generation runs on."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from resolvent.model.context import Context, read
from resolvent.model.network import LanguageNetwork
from resolvent.model.program import Step, why_no_program


class Decoder:
    """A context that moves on in place, a token a row at a time.

    Where it can, a step is one native call on the rows' own copies of their states; where it
    cannot, the model runs layer by layer, and ``reason`` says why. Both give the same numbers. The
    model's weights must not be replaced meanwhile.

    Args:
        model: in evaluation mode.
        context: where the rows start; it is left as it is.

    Attributes:
        reason: why a step is not one native call; None if it is.
    """

    def __init__(self, model: LanguageNetwork, context: Context):
        self.model = model
        self.reason = why_no_program(model, len(context.length))
        self._context = _copy(context)
        self._step = None if self.reason else Step(model, self._context.state)

    @property
    def logits(self) -> Tensor:
        """Logits of each row's next token (b, v)."""
        return self._context.logits

    @property
    def seen(self) -> Tensor:
        """Which tokens occurred (b, v)."""
        return self._context.seen

    @property
    def context(self) -> Context:
        """All that was read so far, as a value that later steps leave alone."""
        return _copy(self._context)

    @torch.no_grad()
    def read(self, tokens: Tensor, live: Tensor | None = None) -> None:
        """Read one token a row.

        Args:
            tokens: (b,) integers of the vocabulary.
            live: (b,) bool; a row without it reads nothing and stays as it is. All by default.

        Raises:
            ValueError: a token is not of the vocabulary.
        """
        live = torch.ones_like(tokens, dtype=torch.bool) if live is None else live
        if self._step is None:
            rows = [tokens[i : i + 1] if x else tokens[:0] for i, x in enumerate(live.tolist())]
            self._context = read(self.model, rows, self._context)
            return
        self.model.check(tokens[:, None])
        state, logits, seen, length = self._context
        if self.model.config.boundary is not None:
            fresh = live & (tokens == self.model.config.boundary)
            if bool(fresh.any()):
                tree_map(lambda x: x.masked_fill_(_wide(fresh, x), 0), state)
        self._step(tokens, live)
        if bool(live.all()):
            logits.copy_(self._step.logits)
        else:
            logits[live] = self._step.logits[live]
        seen[live, tokens[live]] = True
        length += live


def _copy(context: Context) -> Context:
    return tree_map(lambda x: x.clone(memory_format=torch.contiguous_format), context)


def _wide(rows: Tensor, x: Tensor) -> Tensor:
    return rows.view(-1, *(1,) * (x.ndim - 1))
