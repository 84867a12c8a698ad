"""The small experiment that claims about token tasks share: a model, a short training, a score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from resolvent.data import Batch, BucketSampler
from resolvent.data.tasks import IGNORED, TokenTask
from resolvent.model import LanguageConfig, LanguageModel
from resolvent.train import Source, TrainConfig, fit, seed_all


@dataclass(frozen=True)
class Labelling:
    """Cross-entropy at the steps where a label is asked, and the share of right answers."""

    metric: str = "accuracy"
    names = ("accuracy",)
    unit = "answers"

    def loss(self, output: Tensor, y: Tensor) -> Tensor:
        """Summed over what is asked: logits (b, l, v), labels (b, l)."""
        return cross_entropy(output.mT, y, ignore_index=IGNORED, reduction="sum")

    def count(self, y: Tensor) -> int:
        """How many labels are asked."""
        return int((y != IGNORED).sum())

    def metrics(self, output: Tensor, y: Tensor) -> dict[str, float]:
        """Share of right answers."""
        asked = y != IGNORED
        return {"accuracy": float((output.argmax(-1) == y)[asked].float().mean())}


class _Logits(nn.Module):
    """A language model as the loop calls it."""

    def __init__(self, model: LanguageModel):
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, *, lengths: Tensor) -> Tensor:
        return self.model(x, lengths=lengths)[0]


def source(task: TokenTask, batch_size: int, seed: int = 0) -> Source:
    """Batches of a task, each sequence once an epoch."""
    x, y = torch.from_numpy(task.x), torch.from_numpy(task.y)
    index = torch.arange(len(x))

    def collate(items: list[tuple[Tensor, Tensor, Tensor]]) -> Batch:
        tokens, labels, rows = (torch.stack(v) for v in zip(*items, strict=True))
        lengths = torch.full((len(tokens),), tokens.shape[1])
        return Batch(tokens, lengths, labels, rows)

    sampler = BucketSampler(np.full(len(x), x.shape[1]), batch_size, seed)
    loader = DataLoader(
        TensorDataset(x, y, index),
        batch_sampler=sampler,
        collate_fn=collate,
        generator=torch.Generator(),
    )
    return cast(Source, loader)


def accuracy(
    config: LanguageConfig,
    draw: Callable[[int, int], TokenTask],
    steps: int,
    seed: int,
    batch_size: int = 64,
    lr: float = 3e-3,
) -> tuple[float, LanguageModel]:
    """Test accuracy after one pass over steps * batch_size sequences, and the model.

    Args:
        config: the model; its vocabulary must be the task's.
        draw: (n, seed) -> a task.
        steps: optimiser steps.
        seed: of the weights and of the data.
        batch_size: sequences a step.
        lr: peak learning rate.
    """
    seed_all(seed)
    model = LanguageModel(config)
    train = draw(steps * batch_size, 2 * seed)
    settings = TrainConfig(epochs=1, batch_size=batch_size, lr=lr, seed=seed)
    fit(_Logits(model), source(train, batch_size, seed), None, Labelling(), settings, quiet=True)
    return score(model, draw(512, 2 * seed + 1)), model


@torch.no_grad()
def score(model: LanguageModel, task: TokenTask) -> float:
    """Share of right answers of a model."""
    model.eval()
    x, y = torch.from_numpy(task.x), torch.from_numpy(task.y)
    right = [model(part)[0].argmax(-1) for part in x.split(64)]
    return float((torch.cat(right) == y)[y != IGNORED].float().mean())
