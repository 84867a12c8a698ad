"""What the estimators promise beyond scikit-learn: ragged series, gaps, groups, streams, files."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from resolvent import SequenceClassifier, SequenceRegressor
from resolvent.cli import main

SMALL = {"model": "s4d", "d_model": 8, "d_state": 8, "n_layers": 1, "random_state": 0}


def ragged(n: int = 24, seed: int = 0, channels: int = 1):
    """A list of series of unequal length, two frequencies, with the lower one called low."""
    rng = np.random.default_rng(seed)
    X, y = [], []
    for i in range(n):
        t = np.arange(25 + 2 * (i % 5))[:, None]
        phase = rng.uniform(0, 6, channels)
        X.append(
            np.sin((0.3 + 0.8 * (i % 2)) * t + phase) + 0.05 * rng.normal(size=(len(t), channels))
        )
        y.append("low" if i % 2 == 0 else "high")
    return X, np.array(y)


def test_learns_unequal_lengths_with_gaps_and_words_for_labels():
    X, y = ragged(40, channels=2)
    X[3][4:7] = np.nan
    model = SequenceClassifier(**SMALL, epochs=40).fit(X, y)
    assert list(model.classes_) == ["high", "low"] and model.n_features_in_ == 2
    later, truth = ragged(20, seed=1, channels=2)
    assert model.score(later, truth) >= 0.9
    probabilities = model.predict_proba(later)
    assert probabilities.shape == (20, 2)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-12)
    assert (model.classes_[probabilities.argmax(1)] == model.predict(later)).all()


@pytest.mark.parametrize("labels", [[0, 1], [0.0, 1.0], [False, True], ["a", "b"], [-3, 7]])
def test_labels_keep_their_type(labels):
    X, y = ragged(8)
    y = np.where(y == "low", *labels)
    model = SequenceClassifier(**SMALL, epochs=1).fit(X, y)
    assert model.classes_.dtype == y.dtype and set(model.predict(X)) <= set(labels)


def test_arrays_lists_and_single_channels_are_the_same():
    X = np.stack([x[:25] for x in ragged(8)[0]])
    y = ragged(8)[1]
    outputs = [
        SequenceClassifier(**SMALL, epochs=2).fit(x, y).predict_proba(x)
        for x in (X, list(X), X[:, :, 0], [x[:, 0] for x in X])
    ]
    for other in outputs[1:]:
        np.testing.assert_array_equal(other, outputs[0])


def test_same_seed_same_model_and_the_global_generators_are_left_alone():
    X, y = ragged(8)
    before = np.random.get_state()[1].copy()
    first, second = (SequenceClassifier(**SMALL, epochs=2).fit(X, y) for _ in range(2))
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))
    assert (np.random.get_state()[1] == before).all()
    other = SequenceClassifier(**{**SMALL, "random_state": 1}, epochs=2).fit(X, y)
    assert not np.array_equal(other.predict_proba(X), first.predict_proba(X))


def test_groups_are_held_out_whole():
    X, y = ragged(24)
    groups = np.repeat(["ann", "bob", "eve", "joe"], 6)
    model = SequenceClassifier(**SMALL, epochs=2, validation=0.25).fit(X, y, groups=groups)
    assert len(model.run_.data["held_out_groups"]) == 1 and model.run_.data["held_out"] == 6
    assert "valid_loss" in model.history_[0]


@pytest.mark.parametrize(("n", "held_out"), [(999, 0), (1000, 200)])
def test_few_series_are_all_learned_from(n, held_out):
    X, y = np.random.default_rng(0).normal(size=(n, 5)), np.arange(n) % 2
    model = SequenceClassifier(**SMALL, epochs=1).fit(X, y)
    assert model.run_.data["held_out"] == held_out


def test_regression_in_the_units_of_the_target():
    rng = np.random.default_rng(0)
    slopes = rng.uniform(100, 200, 60)
    X = slopes[:, None, None] / 100 * np.linspace(0, 1, 20)[None, :, None]
    model = SequenceRegressor(**SMALL, epochs=60).fit(X[:40], slopes[:40])
    assert model.predict(X[40:]).shape == (20,)
    assert model.score(X[40:], slopes[40:]) > 0.9


def test_a_stream_ends_where_the_batch_does_and_can_be_forked():
    X, y = ragged(8, channels=2)
    X[0][2] = np.nan
    model = SequenceClassifier(**SMALL, epochs=3).fit(X, y)
    stream = model.stream()
    for row in X[0][:10]:
        stream.push(row)
    fork = stream.state
    for row in X[0][10:]:
        last = stream.push(row)
    # float32 sums in another order, over 25 steps
    np.testing.assert_allclose(last.probabilities, model.predict_proba(X[:1])[0], atol=1e-5)
    assert last.value == model.predict(X[:1])[0]
    stream.state = fork
    again = [stream.push(row) for row in X[0][10:]][-1]
    np.testing.assert_array_equal(again.probabilities, last.probabilities)


def test_saved_estimators_are_runs(tmp_path, capsys):
    X, y = ragged(8)
    model = SequenceClassifier(**SMALL, epochs=2).fit(X, y)
    model.save(tmp_path / "run")
    loaded = SequenceClassifier.load(tmp_path / "run")
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert list(loaded.classes_) == list(model.classes_)
    assert loaded.get_params()["d_model"] == 8
    np.savez(tmp_path / "new.npz", X=np.stack([x[:20] for x in X]))
    assert main(["predict", str(tmp_path / "run"), str(tmp_path / "new.npz")]) == 0
    assert capsys.readouterr().out.count("\n") == 9
    with pytest.raises(ValueError, match="SequenceRegressor cannot load it"):
        SequenceRegressor.load(tmp_path / "run")


def test_swapped_axes_are_noticed():
    X, y = np.zeros((8, 1, 30)), np.arange(8) % 2
    with pytest.raises(ValueError, match=r"transpose\(0, 2, 1\)"):
        SequenceClassifier(**SMALL).fit(X, y)
    with pytest.warns(UserWarning, match=r"transpose\(0, 2, 1\)"):
        SequenceClassifier(**SMALL, epochs=1).fit(np.random.rand(8, 3, 30), y)
    model = SequenceClassifier(**SMALL, epochs=1).fit(np.random.rand(8, 30, 3), y)
    with pytest.raises(ValueError, match=r"transpose\(0, 2, 1\)"):
        model.predict(np.random.rand(8, 3, 30).swapaxes(0, 0))


WRONG = {
    "unfitted": (lambda X, y: SequenceClassifier().predict(X), NotFittedError, "not fitted"),
    "one class": (lambda X, y: SequenceClassifier().fit(X, y * 0), ValueError, "1 class"),
    "labels missing": (lambda X, y: SequenceClassifier().fit(X, y[:3]), ValueError, "one label"),
    "model": (lambda X, y: SequenceClassifier(model="s9").fit(X, y), ValueError, "s5-ptd"),
    "width": (lambda X, y: SequenceClassifier(d_model=0).fit(X, y), ValueError, "d_model"),
    "fractions": (lambda X, y: SequenceClassifier().fit(X, y + 0.5), ValueError, "continuous"),
    "infinite": (lambda X, y: SequenceClassifier().fit(X / 0, y), ValueError, "infinite"),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_errors_say_what_is_wrong(case):
    call, error, hint = WRONG[case]
    X, y = np.ones((6, 5, 1)), np.arange(6) % 2
    with pytest.raises(error, match=hint):
        call(X, y)
