"""From series to a run: what is held out, what is written, what is refused."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from filelock import FileLock

from resolvent.choices import MODELS, Choices
from resolvent.data import DataError, SeriesSet
from resolvent.workflow import finish, fit, load_run, with_task

SMALL = Choices(model="s4d", d_model=4, d_state=4, n_layers=1, epochs=1)


def noise(n: int, classes: int = 2, seed: int = 0, groups: int | None = None) -> SeriesSet:
    """Series of white noise with labels in turn."""
    rng = np.random.default_rng(seed)
    X = [rng.normal(size=(8, 1)) for _ in range(n)]
    return SeriesSet(X, np.arange(n) % classes, None if groups is None else np.arange(n) % groups)


@pytest.mark.parametrize(
    ("n", "scored", "held_out"), [(20, True, 0), (20, False, 4), (999, True, 0), (1000, True, 200)]
)
def test_few_series_with_a_test_set_are_all_learned_from(n, scored, held_out):
    fitted = fit(noise(n), SMALL, test=noise(6, seed=1) if scored else None, quiet=True)
    assert fitted.run.data["held_out"] == held_out
    assert set(fitted.parts) == ({"test"} if scored else set()) | (
        {"validation"} if held_out else set()
    )


def test_nothing_is_held_out_where_nothing_can_be():
    alone = replace(noise(4), y=np.arange(4))  # a class each
    assert fit(alone, SMALL, quiet=True).run.data["held_out"] == 0
    with pytest.raises(DataError):
        fit(alone, replace(SMALL, validation=0.5), quiet=True)


def test_test_data_change_nothing_but_the_test_score():
    series = noise(12)
    first = fit(series, SMALL, test=noise(6, seed=1), quiet=True)
    second = fit(series, SMALL, test=noise(9, seed=2), quiet=True)
    for a, b in zip(first.run.model.parameters(), second.run.model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_labels_unknown_to_the_training_set_stop_before_training(tmp_path):
    with pytest.raises(DataError, match="seen in training"):
        fit(noise(12), SMALL, test=noise(6, classes=3), folder=tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


def test_a_channel_without_values_is_named_before_it_is_predicted_from():
    rng = np.random.default_rng(0)
    series = SeriesSet([rng.normal(size=(8, 2)) for _ in range(12)], np.arange(12) % 2)
    run = fit(series, SMALL, quiet=True).run
    silent = SeriesSet([np.where([True, False], x, np.nan) for x in series.X])
    with pytest.warns(UserWarning, match="found no value in channel"):
        predicted = run.output(silent)
    mean = SeriesSet(
        [np.where([True, False], x, run.inputs.preprocess.scale.mean) for x in series.X]
    )
    assert torch.allclose(predicted, run.output(mean), atol=1e-6)
    # it is one series' own affair as long as others have values
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run.output(SeriesSet([silent.X[0], *series.X[1:]]))


@pytest.mark.parametrize("name", MODELS)
def test_every_model_trains_saves_loads_and_streams(name, tmp_path):
    series = noise(6)
    fitted = fit(series, replace(SMALL, model=name), folder=tmp_path, quiet=True)
    finish(fitted)
    run = load_run(tmp_path)
    torch.testing.assert_close(run.output(series), fitted.run.output(series), rtol=0, atol=0)
    stream = run.stream()
    last = [stream.push(row) for row in series.X[0]][-1]
    expected = torch.softmax(run.output(series)[0].double(), -1)
    # float32 sums in another order, over 8 steps
    np.testing.assert_allclose(last.probabilities, expected, atol=2e-5)


def test_bidirectional_models_predict_but_do_not_stream():
    run = fit(noise(6), replace(SMALL, bidirectional=True), quiet=True).run
    assert run.output(noise(3)).shape == (3, 2)
    with pytest.raises(TypeError, match="bidirectional"):
        run.stream()


def test_whole_number_labels_become_targets_on_request():
    series = with_task(noise(10, classes=5), "regression")
    fitted = fit(series, SMALL, quiet=True)
    assert fitted.run.target.kind == "regression"
    predicted = fitted.run.evaluate(noise(5, classes=5))
    assert predicted.y.dtype == np.float64 and set(predicted.scores) == {"rmse", "mae", "r2"}
    with pytest.raises(DataError, match="fractional"):
        with_task(replace(series, y=series.labels + 0.5), "classification")


def test_damaged_runs_are_named(tmp_path):
    fit(noise(6), SMALL, folder=tmp_path / "run", quiet=True)
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    (tmp_path / "run" / "model.safetensors").write_bytes(b"short")
    with pytest.raises(DataError, match="no usable weights"):
        load_run(tmp_path / "run")
    del config["inputs"]
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    with pytest.raises(DataError, match="no complete run"):
        load_run(tmp_path / "run")
    (tmp_path / "run" / "config.json").write_text("{")
    with pytest.raises(DataError, match="not JSON"):
        load_run(tmp_path / "run")
    with pytest.raises(DataError, match="resolvent fit"):
        load_run(tmp_path / "nowhere")
    (tmp_path / "run" / "config.json").write_text(json.dumps({"language": {}}))
    with pytest.raises(DataError, match="holds a language model"):
        load_run(tmp_path / "run")


def test_two_processes_do_not_train_in_one_folder(tmp_path):
    with FileLock(tmp_path / ".lock"), pytest.raises(ValueError, match="another process"):
        fit(noise(12), SMALL, folder=tmp_path, quiet=True)
    fit(noise(12), SMALL, folder=tmp_path, quiet=True)
