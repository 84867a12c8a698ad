"""The estimators under scikit-learn's own checks, and in its tools."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from resolvent import SequenceClassifier, SequenceRegressor

TINY = {"model": "s4d", "d_model": 4, "d_state": 4, "n_layers": 1, "epochs": 2, "random_state": 0}

NOT_APPLICABLE = {
    "check_n_features_in": "features are channels; (n, time) has one, however long the series",
    "check_n_features_in_after_fitting": "as check_n_features_in: any length may be predicted",
    "check_classifiers_train": "asks for 83 % accuracy, and for an error at another length",
    "check_regressors_train": "asks for a fit of R2 > 0.5, and for an error at another length",
}


def not_applicable(estimator) -> dict[str, str]:
    """Checks that assume a fixed number of columns, with the reason."""
    return NOT_APPLICABLE


@parametrize_with_checks(
    [SequenceClassifier(**TINY), SequenceRegressor(**TINY)], expected_failed_checks=not_applicable
)
@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_conventions(estimator, check):
    check(estimator)


def two_frequencies(n: int = 24, seed: int = 0):
    """Series (n, 30, 1) of two frequencies, and which one."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    t = np.arange(30)[None]
    X = np.sin((0.3 + 0.6 * y[:, None]) * t + rng.uniform(0, 6, (n, 1)))
    return X[:, :, None] + 0.1 * rng.standard_normal((n, 30, 1)), y


def test_cross_validation_grid_search_and_pipelines():
    X, y = two_frequencies()
    model = SequenceClassifier(**TINY)
    assert cross_val_score(model, X, y, groups=np.arange(24) // 4, cv=GroupKFold(2)).shape == (2,)
    search = GridSearchCV(model, {"d_model": [2, 4]}, cv=2).fit(X, y)
    assert search.best_params_["d_model"] in (2, 4)
    pipeline = make_pipeline(FunctionTransformer(np.diff, kw_args={"axis": 1}), model)
    assert pipeline.fit(X, y).predict(X).shape == (24,)


def test_clones_are_unfitted_and_equal():
    model = SequenceClassifier(**TINY).fit(*two_frequencies())
    copy = clone(model)
    assert copy.get_params() == model.get_params() and not hasattr(copy, "run_")
