"""What the loop needs of data: batches that are named by (epoch, position)."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor


class Sampler(Protocol):
    """Chooses the rows of each batch, as a pure function of (epoch, position)."""

    def seek(self, epoch: int, batch: int = 0) -> None:
        """Make the next iteration start at this batch and end with its epoch."""
        ...


class Source(Protocol):
    """A `torch.utils.data.DataLoader`, or anything like it, whose `batch_sampler` can seek.

    It yields NamedTuples of tensors with the row as first axis: x (b, l, c), lengths (b,),
    y (b, ...) or None when unlabelled, index (b,), each row's place in the data set. A batch is
    one optimiser step, over all processes and parts. Same (epoch, position), same batch: that is
    what makes a run resumable.
    """

    @property
    def batch_sampler(self) -> Sampler | None:
        """Where the order comes from."""
        ...

    def __len__(self) -> int:
        """Batches an epoch."""
        ...

    def __iter__(self) -> Iterator:
        """Batches from where the sampler stands to the end of its epoch."""
        ...


AnyBatch = TypeVar("AnyBatch", bound=NamedTuple)


def batches(source: Source, epoch: int = 0, start: int = 0) -> Iterator:
    """The batches of `epoch` from position `start` on.

    Raises:
        TypeError: The source cannot seek.
    """
    sampler = source.batch_sampler
    if sampler is None or not hasattr(sampler, "seek"):
        raise TypeError(
            f"source: its batch_sampler is {type(sampler).__name__} without seek(epoch, batch), so "
            "a run could not be resumed; resolvent.data.make_loader gives one that has it."
        )
    sampler.seek(epoch, start)
    return iter(source)


def share(batch: AnyBatch, part: int, parts: int, device: torch.device) -> AnyBatch:
    """Rows part, part + parts, ... of a batch, on `device`."""

    def rows(field: Tensor | None) -> Tensor | None:
        return None if field is None else field[part::parts].to(device)

    return batch._make(rows(field) for field in batch)
