"""How the next token is chosen from its logits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Sampling:
    """Rules for choosing a token, applied in the order of the fields.

    Attributes:
        repetition_penalty: logits of tokens already seen are divided by it if positive, multiplied
            if negative (Keskar et al. 2019, CTRL); 1 changes nothing.
        temperature: logits are divided by it; 0 takes the likeliest token, whatever else is set.
        top_k: only the k likeliest tokens remain; None: all.
        top_p: only the likeliest tokens remain whose probabilities sum to p (Holtzman et al. 2020);
            the first that reaches p is kept.
        min_p: only tokens remain that are at least this fraction as likely as the likeliest (Nguyen
            et al. 2024).
        seed: decides the draws of every row, together with the row's number; None: drawn anew.

    Raises:
        ValueError: a value is out of range.
    """

    repetition_penalty: float = 1.0
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        for name, fits, words in (
            ("repetition_penalty", lambda x: x > 0, "a number above 0"),
            ("temperature", lambda x: x >= 0, "a number of at least 0"),
            ("top_k", lambda x: type(x) is int and x >= 1, "a whole number of at least 1"),
            ("top_p", lambda x: 0 < x <= 1, "a share above 0, at most 1"),
            ("min_p", lambda x: 0 <= x <= 1, "a probability"),
            ("seed", lambda x: type(x) is int and x >= 0, "a whole number of at least 0"),
        ):
            value = getattr(self, name)
            if value is not None and not fits(value):
                raise ValueError(f"{name}: expected {words}, got {value!r}")

    def log_probabilities(self, logits: Tensor, seen: Tensor) -> Tensor:
        """Log-probabilities (b, v) in float64 after every rule; -inf for what cannot be chosen.

        Args:
            logits: (b, v).
            seen: (b, v) bool, tokens that occurred before.
        """
        x = self._penalised(logits, seen)
        if self.temperature == 0:
            best = x.argmax(-1, keepdim=True)
            return torch.full_like(x, -torch.inf).scatter(-1, best, 0.0)
        x = (x / self.temperature).log_softmax(-1)
        if self.top_k is not None or self.top_p is not None:
            x = self._likeliest(x)
        if self.min_p is not None:
            x = x.masked_fill(x.exp() < self.min_p * x.amax(-1, keepdim=True).exp(), -torch.inf)
        return x.log_softmax(-1)

    def likeliest(self, logits: Tensor, seen: Tensor) -> Tensor:
        """The likeliest tokens (b,), all that matters at temperature 0; arguments as above."""
        return self._penalised(logits, seen).argmax(-1)

    def _penalised(self, logits: Tensor, seen: Tensor) -> Tensor:
        x = logits.double()
        if self.repetition_penalty == 1:
            return x
        penalised = torch.where(x > 0, x / self.repetition_penalty, x * self.repetition_penalty)
        return torch.where(seen, penalised, x)

    def _likeliest(self, x: Tensor) -> Tensor:
        """Log-probabilities x without the tokens that top_k and top_p drop."""
        ordered, order = x.sort(dim=-1, descending=True, stable=True)
        keep = torch.ones_like(ordered, dtype=torch.bool)
        if self.top_k is not None:
            keep[:, self.top_k :] = False
        if self.top_p is not None:
            kept = ordered.masked_fill(~keep, -torch.inf).softmax(-1)
            keep &= kept.cumsum(-1) - kept < self.top_p
        return x.masked_fill(~torch.zeros_like(keep).scatter(-1, order, keep), -torch.inf)


class Sampler:
    """Chooses tokens for rows that each have random numbers of their own.

    So a row's draws depend neither on the other rows nor on when these end.

    Args:
        sampling: the rules.
        rows: how many rows there are.
    """

    def __init__(self, sampling: Sampling, rows: int):
        self.sampling = sampling
        parents = np.random.SeedSequence(sampling.seed).spawn(rows)
        self.draws = [np.random.default_rng(x) for x in parents]

    def __call__(self, logits: Tensor, seen: Tensor) -> Tensor:
        """One token (b,) for each row."""
        if self.sampling.temperature == 0:
            return self.sampling.likeliest(logits, seen)
        cumulative = self.sampling.log_probabilities(logits, seen).exp().cumsum(-1)
        u = torch.tensor([rng.random() for rng in self.draws], dtype=cumulative.dtype)
        u = u.to(cumulative.device)[:, None] * cumulative[:, -1:]
        # the first token whose cumulative probability exceeds the draw; never one of probability 0
        return torch.searchsorted(cumulative, u, right=True)[:, 0].clamp(
            max=cumulative.shape[-1] - 1
        )
