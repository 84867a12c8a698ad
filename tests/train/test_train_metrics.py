"""Metrics against scikit-learn's own functions, and what is shown."""

import io
import random

import numpy as np
import pytest
import torch
from rich.console import Console
from sklearn import metrics as sk

from resolvent.train import classification_metrics, regression_metrics, seed_all
from resolvent.train.progress import Display


def test_classification_metrics():
    rng = np.random.default_rng(0)
    logits, y = 3 * rng.standard_normal((50, 4)), rng.integers(0, 3, 50)  # class 3 never occurs
    chosen = logits.argmax(1)
    mine = classification_metrics(logits, y)
    probability = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    recall = sk.recall_score(y, chosen, labels=[0, 1, 2], average="macro")
    assert mine["accuracy"] == sk.accuracy_score(y, chosen)
    assert mine["balanced_accuracy"] == pytest.approx(recall, rel=1e-12)
    assert mine["macro_f1"] == sk.f1_score(y, chosen, average="macro")
    assert mine["log_loss"] == pytest.approx(sk.log_loss(y, probability, labels=range(4)), rel=1e-9)


def test_log_loss_of_extreme_logits_is_exact():
    assert classification_metrics(np.array([[2000.0, 0.0]]), [1])["log_loss"] == 2000.0


def test_regression_metrics():
    rng = np.random.default_rng(0)
    y, prediction = rng.standard_normal((2, 20, 3))
    mine = regression_metrics(prediction, y)
    assert mine["rmse"] == pytest.approx(np.sqrt(((y - prediction) ** 2).mean(0)).mean())
    assert mine["mae"] == pytest.approx(abs(y - prediction).mean())
    assert mine["r2"] == pytest.approx(sk.r2_score(y, prediction))
    assert np.isnan(regression_metrics(y[:1], y[:1])["r2"])


def draws():
    return random.random(), np.random.rand(), torch.rand(()).item()


def test_seeds_are_functions_of_seed_and_key():
    streams = {}
    for key in [(0, 1, 0), (0, 1, 1), (0, 2, 0), (1, 1, 0)]:
        seed_all(*key)
        streams[key] = draws()
        seed_all(*key)
        assert draws() == streams[key]
    for own in zip(*streams.values(), strict=True):  # each generator by itself
        assert len(set(own)) == len(own)


ROW = {
    "step": 5,
    "epoch": 1,
    "seconds": 2.0,
    "train_loss": 1.25,
    "valid_loss": 0.5,
    "valid_r2": 0.1,
}


@pytest.mark.parametrize("terminal", [True, False])
def test_display(terminal):
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=100)
    with Display(20, 0, quiet=False, console=console) as display:
        display.step(5, 1.25, 8)
        display.row(ROW, "r2")
    text = out.getvalue()
    assert "step 5/20  epoch 1  train_loss 1.25  valid_loss 0.5  valid_r2 0.1" in text
    assert ("loss 1.25" in text.replace("train_loss 1.25", "")) == terminal  # the bar
    assert " rows/s" in text
    assert ("left 6 s" in text) == (not terminal)


def test_quiet_display(capsys):
    with Display(20, 0, quiet=True) as display:
        display.step(5, 1.25, 8)
        display.row(ROW, None)
    assert capsys.readouterr() == ("", "")
