"""From series to a run and back: what the command line and the estimators are views of."""

from resolvent.choices import MODELS, Choices
from resolvent.workflow.claim import FILES
from resolvent.workflow.fitting import Fitted, finish, fit
from resolvent.workflow.inputs import Inputs
from resolvent.workflow.run import Evaluation, Run, load_run, read_config, read_scores
from resolvent.workflow.streaming import Prediction, RunStream, StreamState
from resolvent.workflow.target import Classes, Target, Values, make_target, with_task

__all__ = [
    "FILES",
    "MODELS",
    "Choices",
    "Classes",
    "Evaluation",
    "Fitted",
    "Inputs",
    "Prediction",
    "Run",
    "RunStream",
    "StreamState",
    "Target",
    "Values",
    "finish",
    "fit",
    "load_run",
    "make_target",
    "read_config",
    "read_scores",
    "with_task",
]
