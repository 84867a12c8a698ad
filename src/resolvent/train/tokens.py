"""Labels at the steps of token sequences: synthetic tasks, and the next item of a user."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from resolvent.model import LanguageModel
from resolvent.topology.padding import IGNORED
from resolvent.train.metrics import RANKING, ranking_metrics
from resolvent.train.task import wide


class TokenLearner(nn.Module):
    """A language model as the loop calls it: tokens (b, l) in, logits (b, l, v) out.

    Args:
        model: the model; its weights are stored under "model.".
    """

    def __init__(self, model: LanguageModel):
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        """Logits at every step."""
        return self.model(x, lengths=lengths)[0]


class ItemLearner(TokenLearner):
    """The same, asked for all steps in training, and after each row's last one in evaluation."""

    def forward(self, x: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        """Scores of the items that follow: (b, l, v) in training, else (b, v)."""
        if self.training:
            return super().forward(x, lengths=lengths)
        y, _ = self.model.features(x, lengths=lengths)
        last = -1 if lengths is None else lengths - 1
        return self.model.logits(y[torch.arange(len(y), device=y.device), last])


@dataclass(frozen=True)
class TokenLabels:
    """Cross-entropy at the steps where a label is asked, and the share of right answers."""

    metric: str = "accuracy"
    names: tuple[str, ...] = ("accuracy",)
    unit = "answers"

    def loss(self, output: Tensor, y: Tensor) -> Tensor:
        """Summed over what is asked: logits (..., v), labels (...)."""
        logits = wide(output).flatten(0, -2)
        return cross_entropy(logits, y.flatten(), ignore_index=IGNORED, reduction="sum")

    def count(self, y: Tensor) -> int:
        """How many labels are asked."""
        return int((y != IGNORED).sum())

    def metrics(self, output: Tensor, y: Tensor) -> dict[str, float]:
        """Share of right answers."""
        asked = y != IGNORED
        return {"accuracy": float((output.argmax(-1) == y)[asked].float().mean())}


@dataclass(frozen=True)
class NextItem(TokenLabels):
    """The item that a user takes next, ranked among all items (Kang & McAuley 2018, SASRec).

    Cross-entropy over all items stands for the paper's one negative a positive; and ranks among all
    items, for its ranks among a hundred, which flatter (Krichene & Rendle 2020).
    """

    metric: str = "ndcg@10"
    names: tuple[str, ...] = RANKING
    unit = "items"

    def metrics(self, output: Tensor, y: Tensor) -> dict[str, float]:
        """See `ranking_metrics`: scores (n, v), items (n,)."""
        return ranking_metrics(wide(output).numpy(), y.numpy())
