"""A run as a recurrence: raw rows in, a prediction after every row, memory that does not grow."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from resolvent.layers import load_state, save_state
from resolvent.model import SequenceModel, Stream
from resolvent.workflow.inputs import Inputs
from resolvent.workflow.target import Target


class Prediction(NamedTuple):
    """What is predicted after a row.

    Attributes:
        value: The label, or the number.
        probabilities: (classes,), or None for regression.
    """

    value: Any
    probabilities: np.ndarray | None


class StreamState(NamedTuple):
    """All that a stream remembers.

    Attributes:
        inputs: (1, 2, channels), the memory of `Inputs`.
        model: The model's own state.
    """

    inputs: Tensor
    model: Any


class RunStream:
    """Push raw rows, read predictions; each equals that of the parallel model on the rows so far.

    Args:
        model: A causal model.
        inputs: As fitted in training.
        target: Classes or numbers.

    Attributes:
        state: May be read, kept, and put back to continue from there.

    Raises:
        TypeError: The model is bidirectional.
    """

    def __init__(self, model: SequenceModel, inputs: Inputs, target: Target):
        self._stream = Stream(model)
        self._inputs, self._target = inputs, target
        self.state = self._start()

    def reset(self) -> None:
        """Forget the past: the next row is the first of a new series."""
        self.state = self._start()

    @torch.no_grad()
    def push(self, row: Any) -> Prediction:
        """Read one time step.

        Args:
            row: (channels,) raw values, NaN where missing.

        Returns:
            The prediction from all rows since the start or the latest reset.

        Raises:
            DataError: The number of channels is not that of the training set.
        """
        values = np.asarray(row, dtype=np.float32).reshape(-1)
        x, memory = self._inputs.step(values, self.state.inputs[0].numpy())
        output, model = self._stream(torch.from_numpy(x)[None], self.state.model)
        self.state = StreamState(torch.from_numpy(memory)[None], model)
        probabilities = self._target.probabilities(output)
        return Prediction(
            self._target.decode(output)[0], None if probabilities is None else probabilities[0]
        )

    def save(self, path: str | Path) -> None:
        """Write the state to a safetensors file."""
        save_state(self.state, path)

    def load(self, path: str | Path) -> None:
        """Continue from a state that `save` wrote.

        Raises:
            ValueError: It is not a state of this model.
        """
        self.state = load_state(path, self._start())

    def _start(self) -> StreamState:
        inputs = torch.from_numpy(self._inputs.start())[None]
        return StreamState(inputs, self._stream.initial_state(1))
