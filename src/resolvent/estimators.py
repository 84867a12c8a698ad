"""Estimators with scikit-learn's conventions, for series of equal or unequal length.

    from resolvent import SequenceClassifier

    model = SequenceClassifier().fit(X_train, y_train)     # X: (n, time, channels), or a list
    model.predict_proba(X_test)
    stream = model.stream()                                # the same weights, row by row
    for row in recording:
        prediction = stream.push(row)

They are views of `resolvent.workflow`, as the command line is; a saved estimator is a run folder.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_array, check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from resolvent import workflow
from resolvent.choices import Choices, ModelName
from resolvent.data import SeriesSet
from resolvent.data.series import Task
from resolvent.workflow.defaults import validation_share


class _Sequence(BaseEstimator):
    """What classifier and regressor share."""

    _kind: Task

    def __init__(
        self,
        model: ModelName = "s5-ptd",
        d_model: int = 64,
        d_state: int = 64,
        n_layers: int = 3,
        epochs: int | None = None,
        validation: float | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ):
        self.model = model
        self.d_model = d_model
        self.d_state = d_state
        self.n_layers = n_layers
        self.epochs = epochs
        self.validation = validation
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Train on labelled series.

        Args:
            X: Array (n, time, channels), array (n, time) of single-channel series, or a list of
                arrays (time, channels) or (time,) of any lengths. NaN marks a missing value.
            y: Labels (n,), or numbers (n,) for a regressor.
            groups: Subject, speaker or machine of each series (n,): none is torn between the part
                that is learned from and the part held out.

        Returns:
            The estimator.

        Raises:
            DataError: X, y or groups cannot be learned from; a ValueError that says why.
            ValueError: A parameter is impossible.
        """
        if y is None:
            raise ValueError("y: requires y to be passed, but the target y is None")
        labels = self._labels(y)
        series = workflow.with_task(_series(X, labels, groups), self._kind)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        choices = self._choices(seed, len(series))
        fitted = workflow.fit(series, choices, quiet=not self.verbose)
        self.run_ = fitted.run
        self.n_features_in_ = series.n_channels
        self.n_epochs_ = fitted.result.history[-1]["epoch"]
        self.history_ = fitted.result.history
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predict series; X as for `fit`, of any lengths.

        Returns:
            Labels (n,) of the type they had in `fit`, or numbers (n,).

        Raises:
            NotFittedError: `fit` was not called.
            DataError: X is not a set of series with the channels of the training set.
        """
        return self._decode(self._output(X))

    def stream(self) -> workflow.RunStream:
        """The same weights as a recurrence: `push(row)` gives a prediction after every time step.

        Raises:
            NotFittedError: `fit` was not called.
        """
        check_is_fitted(self, "run_")
        return self.run_.stream()

    def save(self, folder: str | Path) -> None:
        """Write a folder that `load`, and every command that takes a run, reads. No pickles.

        Raises:
            NotFittedError: `fit` was not called.
        """
        check_is_fitted(self, "run_")
        self.run_.save(folder)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """An estimator from a folder of `save`, or of `resolvent fit`.

        Raises:
            DataError: There is no run in the folder, or it is of the other kind.
        """
        run = workflow.load_run(folder)
        if run.target.kind != cls._kind:
            raise ValueError(f"{folder}: holds a {run.target.kind}; {cls.__name__} cannot load it")
        names = [name for name in cls._get_param_names() if hasattr(run.choices, name)]
        estimator = cls(**{name: getattr(run.choices, name) for name in names})
        estimator.random_state = run.choices.seed
        estimator.run_ = run
        estimator.n_features_in_ = run.inputs.n_inputs
        estimator._adopt(run)
        return estimator

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        tags.target_tags.required = True
        tags.non_deterministic = self.random_state is None
        return tags

    def _choices(self, seed: int, n: int) -> Choices:
        given = self.get_params(deep=False)
        own = {key: value for key, value in given.items() if hasattr(Choices, key)}
        choices = Choices(**own, seed=seed)
        # whoever calls fit will score it
        whole = validation_share(choices, n, scored=True) == 0
        return replace(choices, validation=0.0) if whole else choices

    def _output(self, X: Any) -> Tensor:
        check_is_fitted(self, "run_")
        series = _series(X)
        if (
            series.n_channels != self.n_features_in_
            and (series.lengths == self.n_features_in_).all()
        ):
            raise ValueError(
                f"X: found {series.n_channels} channels and {self.n_features_in_} time steps; "
                f"expected {self.n_features_in_} channels; axes are (n, time, channels), so "
                "X.transpose(0, 2, 1) may be what is meant"
            )
        return self.run_.output(series)

    def _labels(self, y: Any) -> np.ndarray:
        raise NotImplementedError

    def _decode(self, output: Tensor) -> np.ndarray:
        raise NotImplementedError

    def _adopt(self, run: workflow.Run) -> None:
        """Take over what `fit` would have set."""


class SequenceClassifier(ClassifierMixin, _Sequence):
    """State-space sequence classifier.

    Channels are standardised with the training set's mean and deviation, gaps are filled forward,
    and the model's range of time scales follows the length of the series. Sets of a thousand series
    or more hold out a fifth, stop when it no longer improves and keep the best weights; smaller
    ones are learned from entirely, on a fixed schedule.

    Args:
        model: Layer and initialisation, see `resolvent.choices.MODELS`.
        d_model: Features.
        d_state: Real states: of the whole layer for S5 and LRU, of each feature for the others.
        n_layers: Blocks.
        epochs: Passes over the data; None: as many as the number of series asks for.
        validation: Share held out, from 0 to below 1; None: as above.
        random_state: Seed, RandomState, or None for a new one every time.
        verbose: Show progress with the time left.

    Attributes:
        classes_: Labels (classes,), sorted.
        n_features_in_: Channels.
        run_: The fitted `resolvent.workflow.Run`: model, inputs, target.
        history_: One dictionary a validation.
        n_epochs_: Epochs trained.

    Examples:
        >>> import numpy as np
        >>> from resolvent import SequenceClassifier
        >>> X = np.random.default_rng(0).normal(size=(20, 50, 2)); X[10:, :, 0] += 2
        >>> y = ["calm"] * 10 + ["shifted"] * 10
        >>> model = SequenceClassifier(d_model=8, n_layers=1, epochs=5, random_state=0)
        >>> model.fit(X, y).score(X, y)
        1.0
    """

    _kind = "classification"

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities (n, classes), columns as in `classes_`; X as for `fit`.

        Raises:
            NotFittedError: `fit` was not called.
            DataError: X is not a set of series with the channels of the training set.
        """
        output = self._output(X)
        probabilities = self.run_.target.probabilities(output)
        assert probabilities is not None
        return probabilities

    def _labels(self, y: Any) -> np.ndarray:
        """Labels (n,) that a file can hold, in the order of `classes_`, which keep their type."""
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        self.classes_ = np.unique(y)
        if (n := len(self.classes_)) < 2:
            raise ValueError(f"y: found {n} class{'es' * (n != 1)}; expected at least two")
        if y.dtype.kind == "f":
            return y.astype(np.int64)
        return y.astype(str) if y.dtype.kind == "O" else y

    def _decode(self, output: Tensor) -> np.ndarray:
        return self.classes_[output.argmax(-1).numpy()]

    def _adopt(self, run: workflow.Run) -> None:
        assert run.target.encoding is not None
        self.classes_ = np.array(run.target.encoding.classes)


class SequenceRegressor(RegressorMixin, _Sequence):
    """State-space regression from a whole series to a number.

    As `SequenceClassifier`, with the squared error of the standardised target as loss.

    Args:
        model: Layer and initialisation, see `resolvent.choices.MODELS`.
        d_model: Features.
        d_state: Real states: of the whole layer for S5 and LRU, of each feature for the others.
        n_layers: Blocks.
        epochs: Passes over the data; None: as many as the number of series asks for.
        validation: Share held out, from 0 to below 1; None: a fifth of a thousand series or more.
        random_state: Seed, RandomState, or None for a new one every time.
        verbose: Show progress with the time left.

    Attributes:
        n_features_in_: Channels.
        run_: The fitted `resolvent.workflow.Run`: model, inputs, target.
        history_: One dictionary a validation.
        n_epochs_: Epochs trained.
    """

    _kind = "regression"

    def _labels(self, y: Any) -> np.ndarray:
        """Targets (n,), float64."""
        return np.asarray(column_or_1d(y, warn=True), dtype=np.float64)

    def _decode(self, output: Tensor) -> np.ndarray:
        return self.run_.target.decode(output)


def _series(X: Any, y: Any = None, groups: Any = None) -> SeriesSet:
    """Series from whatever scikit-learn passes around.

    Raises:
        DataError: X is not a set of series.
        ValueError: X is not numeric, or a 3-D array whose last two axes are swapped.
    """
    if isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype == object:
        X = list(X)
    if not isinstance(X, list | tuple | SeriesSet):
        X = check_array(X, allow_nd=True, ensure_all_finite=False, input_name="X")
    if isinstance(X, np.ndarray) and X.ndim == 3 and X.shape[1] < X.shape[2]:
        n, steps, channels = X.shape
        found = f"X: found {steps} time steps of {channels} channels"
        remedy = "axes are (n, time, channels); X.transpose(0, 2, 1) may be what is meant"
        if steps == 1:
            raise ValueError(f"{found}; {remedy}")
        if 4 * steps <= channels:
            warnings.warn(f"{found}; {remedy}", stacklevel=3)
    return SeriesSet.of(X, y, groups)
