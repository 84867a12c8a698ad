"""What is reported about predictions: scikit-learn's definitions under short names."""

import numpy as np
from scipy.special import log_softmax

LOWER_IS_BETTER = frozenset({"loss", "log_loss", "rmse", "mae", "bits_per_byte", "perplexity"})
CLASSIFICATION = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss")
REGRESSION = ("rmse", "mae", "r2")
RANKING = ("hit@10", "ndcg@10", "mrr")


def classification_metrics(logits: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Accuracy, balanced accuracy, macro F1 and log-loss (nats).

    Args:
        logits: (n, k) unnormalised log-probabilities.
        y: (n,) class numbers in 0..k-1. A class absent from both y and the predictions does not
            enter the means over classes.

    Returns:
        The four numbers by name; log_loss uses the softmax of the logits.
    """
    from sklearn import metrics  # late: it takes seconds to import

    logits, y = np.asarray(logits, np.float64), np.asarray(y).astype(int)
    chosen = logits.argmax(axis=1)
    recalls = [np.mean(chosen[y == label] == label) for label in np.unique(y)]
    log_probability = log_softmax(logits, axis=1)
    return {
        "accuracy": float(metrics.accuracy_score(y, chosen)),
        "balanced_accuracy": float(np.mean(recalls)),
        "macro_f1": float(metrics.f1_score(y, chosen, average="macro")),
        "log_loss": float(-np.mean(log_probability[np.arange(len(y)), y])),
    }


def regression_metrics(prediction: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Root mean square error, mean absolute error, and R2 (each averaged over q targets).

    Args:
        prediction: (n,) or (n, q).
        y: The same shape, in the target's units.

    Returns:
        The three numbers by name; r2 is NaN for fewer than two rows.
    """
    from sklearn import metrics  # late: it takes seconds to import

    prediction, y = np.asarray(prediction, np.float64), np.asarray(y, np.float64)
    return {
        "rmse": float(metrics.root_mean_squared_error(y, prediction)),
        "mae": float(metrics.mean_absolute_error(y, prediction)),
        "r2": float(metrics.r2_score(y, prediction)) if len(y) > 1 else float("nan"),
    }


def ranking_metrics(scores: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Hit rate and discounted gain within the first ten, and the mean reciprocal rank.

    Args:
        scores: (n, k), of all k items.
        y: (n,) the one right item of each row. Among equal scores it stands in the middle.

    Returns:
        The three numbers by name, means over rows; the gain is 1 / log2(1 + rank).
    """
    own = np.take_along_axis(scores, y[:, None], 1)
    rank = 1 + (scores > own).sum(1) + ((scores == own).sum(1) - 1) / 2
    first = rank <= 10
    return {
        "hit@10": float(first.mean()),
        "ndcg@10": float(np.where(first, 1 / np.log2(1 + rank), 0.0).mean()),
        "mrr": float((1 / rank).mean()),
    }
