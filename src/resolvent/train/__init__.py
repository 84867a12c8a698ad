"""One training loop for every model: resumable to the bit, on one process or several."""

from resolvent.train.checkpoint import load_weights, save_weights, update_config
from resolvent.train.config import TrainConfig
from resolvent.train.evaluate import Predictions, evaluate, predict
from resolvent.train.interrupt import TrainingInterrupted
from resolvent.train.language import Learner, NextToken
from resolvent.train.loop import FitResult, fit
from resolvent.train.metrics import classification_metrics, ranking_metrics, regression_metrics
from resolvent.train.optim import make_optimizer, make_scheduler, parameter_groups, warmup_cosine
from resolvent.train.seeding import deterministic, seed_all
from resolvent.train.source import Source
from resolvent.train.step import NonFiniteError
from resolvent.train.task import Classification, Regression, Task
from resolvent.train.tokens import ItemLearner, NextItem, TokenLabels, TokenLearner

__all__ = [
    "Classification",
    "FitResult",
    "ItemLearner",
    "Learner",
    "NextItem",
    "NextToken",
    "NonFiniteError",
    "Predictions",
    "Regression",
    "Source",
    "Task",
    "TokenLabels",
    "TokenLearner",
    "TrainConfig",
    "TrainingInterrupted",
    "classification_metrics",
    "deterministic",
    "evaluate",
    "fit",
    "load_weights",
    "make_optimizer",
    "make_scheduler",
    "parameter_groups",
    "predict",
    "ranking_metrics",
    "regression_metrics",
    "save_weights",
    "seed_all",
    "update_config",
    "warmup_cosine",
]
