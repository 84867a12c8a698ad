"""A trained model over a data set: its outputs in the data set's order, and its metrics."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor, nn

from resolvent.train.source import Source, batches, share
from resolvent.train.task import Task


class Predictions(NamedTuple):
    """Rows in the data set's order, on the CPU. y is None for unlabelled data."""

    index: Tensor
    output: Tensor
    y: Tensor | None


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The model in evaluation mode and without gradients; its former mode comes back."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)


def predict(
    model: nn.Module, source: Source, accelerator: Accelerator | None = None
) -> Predictions:
    """Outputs of `model` for every row of `source`, sorted by the rows' `index`.

    Args:
        model: Called as model(x, lengths=lengths), in evaluation mode, in the weights' precision.
        source: Epoch 0 is read, once.
        accelerator: Given, its processes share the rows and all receive the whole result.

    Raises:
        ValueError: The source is empty.
    """
    rank, processes = (
        (0, 1) if accelerator is None else (accelerator.process_index, accelerator.num_processes)
    )
    device = next((tensor.device for tensor in model.parameters()), torch.device("cpu"))
    parts = []
    with evaluating(model):
        for batch in batches(source):
            part = share(batch, rank, processes, device)
            if len(part.x) == 0:
                continue  # fewer rows than processes
            output = model(part.x, lengths=part.lengths).cpu()
            parts.append((part.index.cpu(), output, None if part.y is None else part.y.cpu()))
    if processes > 1:
        parts = gather_object(parts)
    if not parts:
        raise ValueError("source yields no batches: there is nothing to predict.")
    index, output, y = zip(*parts, strict=True)
    order = torch.cat(index).argsort()
    labels = None if y[0] is None else torch.cat(y)[order]
    return Predictions(torch.cat(index)[order], torch.cat(output)[order], labels)


def evaluate(
    model: nn.Module, source: Source, task: Task, accelerator: Accelerator | None = None
) -> dict[str, float]:
    """The mean loss and the task's metrics of `model` over `source`.

    Args:
        model: See `predict`.
        source: Labelled data.
        task: Gives loss and metrics.
        accelerator: See `predict`.

    Returns:
        {"loss": ..., **task.metrics(...)}.

    Raises:
        ValueError: The source is empty or has no labels.
    """
    _, output, y = predict(model, source, accelerator)
    if y is None:
        raise ValueError("source has no labels (y is None): evaluation needs them; use predict.")
    return {"loss": float(task.loss(output, y)) / task.count(y), **task.metrics(output, y)}
