"""A trained run: the model together with everything that turns raw series into its predictions."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from torch import Tensor

from resolvent import __version__
from resolvent.choices import Choices
from resolvent.data import DataError, SeriesDataset, SeriesSet, make_loader
from resolvent.data.errors import show
from resolvent.model import SequenceModel, describe, load_model, save_model
from resolvent.model.folder import CONFIG
from resolvent.train import Source, predict, update_config
from resolvent.workflow.inputs import Inputs
from resolvent.workflow.streaming import RunStream
from resolvent.workflow.target import Target, target_from_dict, with_task

SCORES = "scores.json"
BATCH = 64


class Evaluation(NamedTuple):
    """Predictions for labelled series, beside the truth.

    Attributes:
        y: The labels (n,).
        predicted: Labels or values (n,).
        probabilities: (n, classes), or None for regression.
        scores: Metrics by name.
    """

    y: np.ndarray
    predicted: np.ndarray
    probabilities: np.ndarray | None
    scores: dict[str, float]


@dataclass(frozen=True)
class Run:
    """A model, its inputs and its target.

    Attributes:
        model: In evaluation mode, on the CPU.
        inputs: What the model sees of raw series; fitted on the part that was learned from.
        target: Classes or numbers.
        choices: What the user chose.
        data: Facts about the data it was trained on, as in config.json.
        folder: Where it lives, or None.
    """

    model: SequenceModel
    inputs: Inputs
    target: Target
    choices: Choices
    data: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None

    def dataset(self, series: SeriesSet) -> SeriesDataset:
        """The series as the model sees them, with encoded labels where there are labels.

        Raises:
            DataError: A label was not seen in training.
        """
        return SeriesDataset(series, self.inputs, self.target.encoding)

    def output(self, series: SeriesSet) -> Tensor:
        """Raw outputs (n, n_outputs) of the model for every series, in order.

        A channel without a value in any of them is warned of, and seen as its mean in training.

        Raises:
            DataError: The channels are not those of the training set.
        """
        self.check(series)
        if empty := series.empty_channels:
            warnings.warn(
                f"{series.name}: found no value in channel {show(empty[0])} of any series; the "
                "model sees its mean in training instead; repair the channel, or train without it",
                stacklevel=2,
            )
        order = np.argsort(series.lengths, kind="stable")  # like lengths together: little padding
        dataset = self.dataset(SeriesSet([series.X[i] for i in order]))
        output = predict(self.model, batches(dataset, BATCH)).output
        return output[np.argsort(order)]

    def evaluate(self, series: SeriesSet) -> Evaluation:
        """Predict labelled series and score the predictions.

        Raises:
            DataError: There are no labels, or a class that was not seen in training.
        """
        series = with_task(series, self.target.kind)
        self.check_labels(series)
        output = self.output(series)
        y = self.target.encode(series)
        return Evaluation(
            series.labels,
            self.target.decode(output),
            self.target.probabilities(output),
            self.target.task().metrics(output, y),
        )

    def stream(self) -> RunStream:
        """The run as a recurrence: rows in, predictions out.

        Raises:
            TypeError: The model is bidirectional.
        """
        return RunStream(self.model, self.inputs, self.target)

    def check(self, series: SeriesSet) -> None:
        """Refuse series that cannot be those of this run.

        Raises:
            DataError: The number of channels differs.
        """
        if series.n_channels != self.inputs.n_inputs:
            raise DataError(
                f"{series.name}: found {series.n_channels} channels; expected "
                f"{self.inputs.n_inputs} as in training, in the same order"
            )

    def check_labels(self, series: SeriesSet) -> None:
        """Refuse series that this run could not be scored on.

        Raises:
            DataError: Labels are missing or of an unknown class, or the channels differ.
        """
        self.check(series)
        if self.target.encoding is not None:
            self.target.encoding.encode(series.labels)
        elif series.task != self.target.kind:
            raise DataError(f"{series.name}: found classes; expected numbers, as in training")

    def sections(self) -> dict[str, Any]:
        """What config.json says of a run, apart from how it was trained."""
        return {
            "resolvent": __version__,
            "choices": asdict(self.choices),
            "data": dict(self.data),
            "inputs": self.inputs.to_dict(),
            "target": self.target.to_dict(),
            "model": describe(self.model),
        }

    def save(self, folder: str | Path) -> None:
        """Write a folder that `load_run` reads: config.json and model.safetensors."""
        save_model(self.model, folder)
        update_config(Path(folder), **self.sections())


def batches(dataset: SeriesDataset, size: int, seed: int | None = None) -> Source:
    """Batches as the training loop reads them; shuffled if there is a seed."""
    return cast(Source, make_loader(dataset, size, seed or 0, shuffle=seed is not None))


def load_run(folder: str | Path) -> Run:
    """Rebuild a run from its folder. Nothing is unpickled.

    Raises:
        DataError: There is no run in the folder, it is damaged, or it is of a language model.
    """
    folder = Path(folder)
    config = read_config(folder)
    if {"language", "vocab_size"} & config.keys():
        raise DataError(
            f"{folder}: holds a language model; expected a run of resolvent fit: see resolvent "
            "generate and resolvent inspect"
        )
    try:
        inputs = Inputs.from_dict(config["inputs"])
        target = target_from_dict(config["target"])
        choices = Choices(**config["choices"])
        data = dict(config["data"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{folder / CONFIG}: found no complete run ({type(error).__name__}: {error}); expected "
            "the folder of resolvent fit; train it again"
        ) from error
    try:
        model = load_model(folder)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{folder}: found no usable weights ({error}); wait for the first validation of the "
            "run, or train it again"
        ) from error
    return Run(model, inputs, target, choices, data, folder)


def read_config(folder: Path) -> dict[str, Any]:
    """config.json of a run.

    Raises:
        DataError: It is missing or not JSON.
    """
    return _read_json(folder / CONFIG, "a folder made by resolvent fit; check the path")


def read_scores(folder: Path) -> dict[str, Any]:
    """scores.json of a finished run.

    Raises:
        DataError: It is missing or not JSON.
    """
    return _read_json(folder / SCORES, "a finished run; resume it with resolvent fit")


def _read_json(path: Path, expected: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except OSError as error:
        raise DataError(f"{path}: not readable ({error.strerror}); expected {expected}") from error
    except ValueError as error:
        raise DataError(f"{path}: not JSON ({error}); expected {expected}") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: found {type(content).__name__}; expected {expected}")
    return content
