"""From a set of series to a finished run: split, preprocess, build, train, score."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from resolvent import train as training
from resolvent.choices import Choices
from resolvent.data import DataError, SeriesSet, split
from resolvent.model import build_model
from resolvent.train import FitResult
from resolvent.workflow.claim import alone, claim, conclude
from resolvent.workflow.defaults import model_config, train_config, validation_share
from resolvent.workflow.inputs import Inputs
from resolvent.workflow.run import BATCH, Evaluation, Run, batches
from resolvent.workflow.target import make_target


@dataclass(frozen=True)
class Fitted:
    """A run that has been trained, and how that went.

    Attributes:
        run: Ready to predict.
        result: Of the training loop.
        parts: Evaluations by name: "test" where a test set was given, "validation" where a part
            was held out.
    """

    run: Run
    result: FitResult
    parts: Mapping[str, Evaluation]

    @property
    def headlines(self) -> list[tuple[str, str, float]]:
        """(part, metric, value): what sums the run up."""
        metric = self.run.target.task().metric
        return [(name, metric, part.scores[metric]) for name, part in self.parts.items()]


def fit(
    series: SeriesSet,
    choices: Choices,
    *,
    test: SeriesSet | None = None,
    folder: Path | None = None,
    overwrite: bool = False,
    source: str | None = None,
    reading: Mapping[str, Any] | None = None,
    quiet: bool = False,
) -> Fitted:
    """Train a model on a set of series, or resume the run in `folder` where it was interrupted.

    Everything random follows from `choices.seed`. Preprocessing, schedule and the model's range of
    time scales are fitted on the part that is learned from, never on what is held out or tested.

    Args:
        series: Labelled training set.
        choices: The run's description.
        test: Scored at the end, and used for nothing else.
        folder: Where the run is written; None keeps nothing.
        overwrite: Delete the run that is in `folder` and start anew.
        source: Where the data came from, as the user wrote it.
        reading: How the source was read, for those who will read more of its kind.
        quiet: Show no progress.

    Raises:
        DataError: The data cannot be learned from, or are not those of the run in `folder`.
        ValueError: The choices are impossible, the run in `folder` is finished or another one, or
            another process is training in it.
        TrainingInterrupted: Ctrl-C or SIGTERM, after a checkpoint.
        NonFiniteError: Training diverged.
    """
    learned, held_out = _hold_out(series, choices, scored=test is not None)
    target = make_target(learned)
    inputs = Inputs.fit(learned)
    with training.deterministic():
        training.seed_all(choices.seed)
        model = build_model(model_config(choices, learned), inputs.n_outputs, target.n_outputs)
    facts = _facts(series, held_out, test)
    facts |= {"source": source or series.name, "reading": dict(reading or {})}
    run = Run(model, inputs, target, choices, facts, folder)
    config = train_config(choices, len(learned), held_out is not None)
    for part in (held_out, test):
        if part is not None:
            run.check_labels(part)
    with nullcontext() if folder is None else alone(folder):
        if folder is not None:
            claim(folder, run.sections(), ("choices", "data"), overwrite)
        result = training.fit(
            model,
            batches(run.dataset(learned), config.batch_size, choices.seed),
            None if held_out is None else batches(run.dataset(held_out), BATCH),
            target.task(choices.label_smoothing),
            config,
            run_dir=folder,
            resume=folder is not None,
            quiet=quiet,
        )
    model.cpu().eval()
    parts = {"test": test, "validation": held_out}
    return Fitted(run, result, {k: run.evaluate(v) for k, v in parts.items() if v is not None})


def finish(fitted: Fitted) -> None:
    """Say in its folder that the run is finished, and with what scores."""
    assert fitted.run.folder is not None
    parts = {name: part.scores for name, part in fitted.parts.items()}
    conclude(fitted.run.folder, fitted.result, parts)


def _hold_out(
    series: SeriesSet, choices: Choices, scored: bool
) -> tuple[SeriesSet, SeriesSet | None]:
    """The part to learn from and the part to validate on, or None.

    Raises:
        DataError: A wanted share cannot be held out; where nobody asked, nothing is.
    """
    share = validation_share(choices, len(series), scored)
    if share == 0:
        return series, None
    try:
        learned, held_out = split.automatic(series, (1 - share, share), choices.seed)
    except DataError:
        if choices.validation is not None:
            raise
        return series, None
    return learned, held_out


def _facts(series: SeriesSet, held_out: SeriesSet | None, test: SeriesSet | None) -> dict[str, Any]:
    """Section "data" of config.json: what a reader of the run should know of its data."""
    y = series.labels
    facts: dict[str, Any] = {
        "name": series.name,
        "sha256": _digest(series),
        "series": len(series),
        "held_out": 0 if held_out is None else len(held_out),
        "test": 0 if test is None else len(test),
        "lengths": [int(series.lengths.min()), int(series.lengths.max())],
        "channels": list(series.channel_names),
        "sampling_rate": series.sampling_rate,
        "missing": series.has_missing,
    }
    if series.task == "classification":
        labels, counts = np.unique(y, return_counts=True)
        facts["classes"] = {str(k): int(n) for k, n in zip(labels, counts, strict=True)}
    else:
        facts["range"] = [float(y.min()), float(y.max())]
    if series.groups is not None:
        facts["groups"] = len(np.unique(series.groups))
        if held_out is not None and held_out.groups is not None:
            facts["held_out_groups"] = [str(g) for g in np.unique(held_out.groups)]
    return facts


def _digest(series: SeriesSet) -> str:
    """A fingerprint of values, labels and groups: a resumed run must see the same data."""
    digest = hashlib.sha256(repr([x.shape for x in series.X]).encode())
    for x in series.X:
        digest.update(x.tobytes())
    for extra in (series.y, series.groups):
        digest.update(repr(None if extra is None else extra.tolist()).encode())
    return digest.hexdigest()
