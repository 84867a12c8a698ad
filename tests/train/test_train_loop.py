"""What a run keeps, when it stops, and what it refuses."""

import json
import math
from dataclasses import asdict, replace

import pytest
import torch

from resolvent.layers import S4D
from resolvent.train import (
    Classification,
    NonFiniteError,
    TrainConfig,
    evaluate,
    fit,
    load_weights,
    predict,
    update_config,
)
from resolvent.train.checkpoint import CONFIG as CONFIG_FILE
from resolvent.train.checkpoint import METRICS, WEIGHTS
from resolvent.train.history import best_row, make_row, out_of_patience
from train.toy_training import CONFIG, Toy, make_source


def run(folder=None, config=CONFIG, valid=None, model=None, **options):
    valid = valid or make_source(seed=2)
    model = model or Toy()
    return model, fit(
        model, make_source(), valid, Classification(), config, folder, quiet=True, **options
    )


def unlearnable():
    """Validation data with labels that mean nothing: the more is learned, the worse they fit."""
    source = make_source(seed=2)
    rows = source.collate_fn
    source.collate_fn = lambda index: rows(index)._replace(y=torch.tensor(index) % 3)
    return source


def test_it_learns_and_its_files_agree(tmp_path):
    update_config(tmp_path, model={"d_model": 8})
    model, result = run(tmp_path)
    assert result.status == "finished" and result.step == 30 and result.run_dir == tmp_path
    assert result.best["valid_accuracy"] > 0.8  # chance is a third
    lines = [json.loads(line) for line in (tmp_path / METRICS).read_text().splitlines()]
    assert lines == result.history
    assert [line["step"] for line in lines] == [5, 10, 15, 20, 25, 30]
    config = json.loads((tmp_path / CONFIG_FILE).read_text())
    assert config == {"model": {"d_model": 8}, "train": asdict(CONFIG)}
    fresh = Toy(seed=9)
    load_weights(tmp_path / WEIGHTS, fresh)
    scores = evaluate(fresh, make_source(seed=2), Classification())
    assert scores == {name[6:]: result.best[name] for name in result.best if name[:6] == "valid_"}
    assert fresh.training and not model.training


def test_best_weights_come_back_after_worse_epochs():
    valid = unlearnable()
    model, result = run(config=replace(CONFIG, epochs=8, metric="loss"), valid=valid)
    assert result.best["step"] < result.step
    scores = evaluate(model, valid, Classification())
    assert scores["loss"] == result.best["valid_loss"]


def test_early_stopping(tmp_path):
    valid = unlearnable()
    config = replace(CONFIG, epochs=200, patience=2, metric="loss")
    _, result = run(tmp_path, config, valid)
    assert result.status == "stopped early"
    assert result.step == result.best["step"] + 2 * 5
    assert run(tmp_path, config, valid, resume=True)[1] == result


def test_history_decides():
    history = [
        {"valid_loss": 1.0, "valid_r2": None},
        {"valid_loss": 0.9, "valid_r2": 0.5},
        {"valid_loss": 0.8, "valid_r2": 0.5},
        {"valid_loss": None, "valid_r2": 0.4},
        make_row({"valid_loss": 0.7, "valid_r2": math.nan}),
    ]
    assert best_row(history, "r2") is history[2]  # the tie is broken by the loss
    assert best_row(history, "loss") is history[4]
    assert best_row(history, None) is history[4]
    assert best_row(history[:1] * 2, "r2") is history[0]
    assert out_of_patience(history, "r2", 2) and not out_of_patience(history, "r2", 3)
    assert not out_of_patience(history, "r2", None) and not out_of_patience([], "r2", 1)


def test_without_validation_the_last_weights_stay(tmp_path):
    model = Toy()
    result = fit(model, make_source(), None, Classification(), CONFIG, tmp_path, quiet=True)
    assert result.best == result.history[-1] and "valid_loss" not in result.best
    assert len(result.history) == 6


def test_validate_every_and_steps():
    _, result = run(config=replace(CONFIG, steps=13, validate_every=4))
    assert [row["step"] for row in result.history] == [4, 8, 12, 13]
    assert [row["epoch"] for row in result.history] == [1, 2, 3, 3]


def test_non_finite_leaves_the_last_checkpoint(tmp_path):
    source = make_source()
    rows, calls = source.collate_fn, []

    def poisoned(index):
        calls.append(index)
        batch = rows(index)
        return batch._replace(x=batch.x * torch.nan) if len(calls) == 8 else batch

    source.collate_fn = poisoned
    valid = make_source(seed=2)
    arguments = (valid, Classification(), CONFIG, tmp_path)
    with pytest.raises(NonFiniteError, match="step 7"):
        fit(Toy(), source, *arguments, quiet=True)
    fit(model := Toy(seed=5), make_source(), *arguments, resume=True, quiet=True)
    healthy = run()[0].state_dict()
    assert all(torch.equal(healthy[name], value) for name, value in model.state_dict().items())


def test_rules_of_a_real_layer_are_obeyed():
    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.head = S4D(3, d_state=4), torch.nn.Linear(3, 3)

        def forward(self, x, lengths):
            y, _ = self.layer(x, lengths=lengths)
            return self.head(y.sum(1) / lengths[:, None])

    model, result = run(model=Model(), config=replace(CONFIG, epochs=10))
    assert result.history[-1]["train_loss"] < result.history[0]["train_loss"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"metric": "rmse"}, "metric='rmse': this task reports loss, accuracy"),
        ({"metric": "loss"}, "metric is set but valid_source is None"),
        ({"patience": 3}, "patience is set but valid_source is None"),
    ],
)
def test_arguments_that_do_not_fit(changes, words):
    with pytest.raises(ValueError, match=words):
        fit(Toy(), make_source(), None, Classification(), TrainConfig(**changes))


def test_a_task_cannot_monitor_what_it_does_not_report():
    with pytest.raises(ValueError, match="metric='recall': this task reports loss, accuracy"):
        fit(Toy(), make_source(), make_source(seed=2), Classification(metric="recall"), CONFIG)


def test_unlabelled_data_cannot_be_trained_on():
    source = make_source()
    rows = source.collate_fn
    source.collate_fn = lambda index: rows(index)._replace(y=None)
    with pytest.raises(ValueError, match="train_source has no labels"):
        fit(Toy(), source, None, Classification(), CONFIG, quiet=True)


def test_empty_and_unseekable_sources():
    with pytest.raises(ValueError, match="train_source has no batches"):
        fit(Toy(), make_source(rows=0), None, Classification(), CONFIG)
    plain = torch.utils.data.DataLoader(range(4))
    with pytest.raises(TypeError, match="BatchSampler without seek"):
        fit(Toy(), plain, None, Classification(), CONFIG, quiet=True)
    with pytest.raises(ValueError, match="run_dir=None"):
        fit(Toy(), make_source(), None, Classification(), CONFIG, resume=True)


def test_predictions_are_in_the_order_of_the_data():
    model = Toy(seed=3)
    index, output, y = predict(model, make_source(shuffle=True))
    assert index.tolist() == list(range(37)) and model.training
    straight = predict(model, make_source(batch_size=37, shuffle=False))
    torch.testing.assert_close(output, straight.output, rtol=1e-5, atol=1e-6)  # batch shapes differ
    assert torch.equal(y, straight.y)
    assert not output.requires_grad


def test_unlabelled_data_can_be_predicted_not_evaluated():
    source = make_source()
    rows = source.collate_fn
    source.collate_fn = lambda index: rows(index)._replace(y=None)
    assert predict(Toy(), source).y is None
    with pytest.raises(ValueError, match="source has no labels"):
        evaluate(Toy(), source, Classification())
    with pytest.raises(ValueError, match="no batches"):
        predict(Toy(), make_source(rows=0))
