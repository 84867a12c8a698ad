from dataclasses import FrozenInstanceError

import pytest

from resolvent.train import Classification, Regression, TrainConfig


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("epochs", 0, "a whole number of at least 1"),
        ("epochs", 1.5, "a whole number of at least 1"),
        ("steps", -3, "a whole number of at least 1"),
        ("batch_size", True, "a whole number of at least 1"),
        ("accumulation", None, "a whole number of at least 1"),
        ("patience", 0, "a whole number of at least 1"),
        ("validate_every", 0, "a whole number of at least 1"),
        ("seed", -1, "a whole number of at least 0"),
        ("lr", 0.0, "a number above 0"),
        ("lr", float("nan"), "a number above 0"),
        ("lr", "fast", "a number above 0"),
        ("lr", None, "a number above 0"),
        ("grad_clip", 0, "a number above 0"),
        ("warmup", 1.01, "a number from 0 to 1"),
        ("final_lr", -0.1, "a number from 0 to 1"),
        ("weight_decay", float("inf"), "a number of at least 0"),
        ("checkpoint_seconds", -1, "a number of at least 0"),
        ("precision", "fp16", "expected 'no' .* or 'bf16'"),
    ],
)
def test_impossible_values_are_named(name, value, words):
    with pytest.raises(ValueError, match=f"{name}={value!r}: .*{words}"):
        TrainConfig(**{name: value})


def test_none_where_it_means_without():
    TrainConfig(steps=None, grad_clip=None, patience=None, validate_every=None, metric=None)


def test_steps_replace_epochs():
    assert TrainConfig(epochs=3).total_steps(7) == 21
    assert TrainConfig(epochs=3, steps=5).total_steps(7) == 5


def test_frozen():
    with pytest.raises(FrozenInstanceError):
        TrainConfig().lr = 1.0


def test_task_options_are_checked():
    with pytest.raises(ValueError, match="label_smoothing=1.0"):
        Classification(label_smoothing=1.0)
    with pytest.raises(ValueError, match="error='cubic': expected one of"):
        Regression(error="cubic")
