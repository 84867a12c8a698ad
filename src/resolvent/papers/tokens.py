"""The small experiment that claims about token tasks share: a model, a short training, a score."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch

from resolvent.data.tasks import IGNORED, TokenTask
from resolvent.data.tokens import LabelledTokens, make_token_loader
from resolvent.model import LanguageConfig, LanguageModel
from resolvent.train import Source, TokenLabels, TokenLearner, TrainConfig, fit, seed_all


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
    source = cast(Source, make_token_loader(LabelledTokens(train.x, train.y), batch_size, seed))
    fit(TokenLearner(model), source, None, TokenLabels(), settings, quiet=True)
    return score(model, draw(512, 2 * seed + 1)), model


@torch.no_grad()
def score(model: LanguageModel, task: TokenTask) -> float:
    """Share of right answers of a model."""
    model.eval()
    x, y = torch.from_numpy(task.x), torch.from_numpy(task.y)
    right = [model(part)[0].argmax(-1) for part in x.split(64)]
    return float((torch.cat(right) == y)[y != IGNORED].float().mean())
