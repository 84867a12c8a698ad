"""What is chosen where nothing is said: a model and a schedule that suit the training set."""

from __future__ import annotations

import inspect

import numpy as np

from resolvent.choices import MODELS, Choices
from resolvent.data import SeriesSet
from resolvent.model import ModelConfig, find_layer
from resolvent.train import TrainConfig

MIN_STEPS = 600
"""Optimiser steps that even the smallest set gets."""

MIN_EPOCHS = 40
"""Passes over the data that even the largest set gets."""

LOOKS = 50
"""Validations in a run, unless its epochs are fewer."""

ENOUGH = 1000
"""Series from which on a part of the training set is held out unasked."""


def validation_share(choices: Choices, n: int, scored: bool) -> float:
    """Share of n training series to hold out; `scored`: a test set will tell the score."""
    if choices.validation is not None:
        return choices.validation
    return 0.2 if n >= ENOUGH or not scored else 0.0


def model_config(choices: Choices, train: SeriesSet) -> ModelConfig:
    """The model for series as long as those of the training part."""
    layer, options = MODELS[choices.model]
    length = float(np.median(train.lengths))
    known = inspect.signature(find_layer(layer)).parameters
    scales = {"dt_min": 1.0 / length, "dt_max": max(0.5, 2.0 / length)}
    options = {**options, **{k: v for k, v in scales.items() if k in known}}
    return ModelConfig(
        layer=layer,
        layer_options={**options, "d_state": choices.d_state},
        d_model=choices.d_model,
        n_layers=choices.n_layers,
        bidirectional=choices.bidirectional,
        prenorm=False,  # before the first layer it would leave of one channel little but its sign
        dropout=choices.dropout,
        pool="mean_max",  # a short event counts by its height, however long the series
    )


def train_config(choices: Choices, n: int, validated: bool) -> TrainConfig:
    """The schedule for n series, with or without a held-out part."""
    batch = choices.batch_size
    if batch is None:
        batch = int(np.clip(n // 8, 8, 32))
    steps_per_epoch = -(-n // max(batch, 1))
    epochs = choices.epochs
    if epochs is None:
        epochs = max(MIN_EPOCHS, -(-MIN_STEPS // steps_per_epoch))
    return TrainConfig(
        epochs=epochs,
        batch_size=batch,
        lr=choices.lr,
        weight_decay=0.05,
        patience=choices.patience if validated else None,
        validate_every=max(steps_per_epoch, -(-epochs * steps_per_epoch // LOOKS)),
        metric="loss" if validated else None,
        seed=choices.seed,
    )
