"""The small real task that claims share: handwritten digits read pixel by pixel.

The 8 x 8 digits that scikit-learn ships become series of 64 pixels, each held for some steps: 768
steps at hold 12. Held pixels are a continuous-time signal, so that sampling it at half the rate is
exact and only the step size changes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, cast

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

from resolvent.block import Block
from resolvent.data import LabelEncoding, SeriesSet
from resolvent.data.loader import SeriesDataset, make_loader
from resolvent.layers import Layer
from resolvent.model import Backbone, SequenceModel
from resolvent.train import Classification, Source, TrainConfig, fit, seed_all


class Split(NamedTuple):
    """Series (n, length, 1) and classes (n,) for training and for testing."""

    x: Tensor
    y: Tensor
    x_test: Tensor
    y_test: Tensor


def held_digits(hold: int) -> Split:
    """Digits of 64 * hold steps, values in [-1, 1]; one third is for testing, by a fixed split."""
    images, labels = load_digits(return_X_y=True)
    series = np.repeat(images / 8 - 1, hold, axis=1).astype(np.float32)[..., None]
    x, x_test, y, y_test = (
        torch.from_numpy(part)
        for part in train_test_split(
            series, labels, test_size=1 / 3, random_state=0, stratify=labels
        )
    )
    return Split(x, y, x_test, y_test)


def plain_model(
    make_layer: Callable[[int], Layer], d_model: int = 32, depth: int = 2
) -> SequenceModel:
    """The model every layer gets: pre-norm blocks with GLU, mean pooling, ten classes."""
    blocks = [Block(make_layer(d_model), mix="glu") for _ in range(depth)]
    return SequenceModel(Backbone(1, blocks), 10)


def train(model: nn.Module, split: Split, seed: int, epochs: int = 10) -> None:
    """The same short training for every model: AdamW, warm-up and cosine, no validation set."""
    series = SeriesSet(list(split.x.numpy()), split.y.numpy(), name="digits")
    dataset = SeriesDataset(series, encoding=LabelEncoding.fit(series.y))
    config = TrainConfig(epochs=epochs, batch_size=64, lr=5e-3, seed=seed)
    source = cast(Source, make_loader(dataset, 64, seed))
    fit(model, source, None, Classification(), config, quiet=True)


def accuracy(make_layer: Callable[[int], Layer], split: Split, seed: int) -> float:
    """Test accuracy of a plain model with this layer after the short training."""
    seed_all(seed)
    model = plain_model(make_layer)
    train(model, split, seed)
    return score(model, split.x_test, split.y_test)


def score(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """Accuracy of ``model`` on series x (n, l, 1) with classes y (n,)."""
    model.eval()
    with torch.no_grad():
        logits = model(x)
    return float((logits.argmax(1) == y).float().mean())
