"""From a SeriesSet to padded batches whose order is a pure function of (seed, epoch)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from resolvent.data.errors import DataError, show
from resolvent.data.labels import LabelEncoding
from resolvent.data.series import SeriesSet


class Batch(NamedTuple):
    """Series padded with zeros on the right.

    Attributes:
        x: Values (b, l, c), float32.
        lengths: True lengths (b,), int64; `x[i, lengths[i]:]` is zero.
        y: Class indices (b,) int64, or targets (b,) float32, or None without labels.
        index: Position (b,) of each series in its set, int64.
    """

    x: Tensor
    lengths: Tensor
    y: Tensor | None
    index: Tensor


class Preprocessing(Protocol):
    """What turns a raw series (time, channels) into what a model sees, such as `Preprocess`."""

    def apply(self, x: np.ndarray) -> np.ndarray:
        """Return model input (time, features)."""
        ...


class SeriesDataset(Dataset):
    """The series of a set as (x, y, index) items, each preprocessed when it is asked for.

    Only the raw values stay in memory: preprocessing may make many features of a channel.

    Args:
        series: The set.
        preprocess: Standardisation and treatment of missing values, fitted on the training set;
            None leaves the values as they are and refuses missing ones.
        encoding: How labels become class indices; None for regression, or to leave labels out.

    Raises:
        DataError: When a label is not among the classes of `encoding`, or a value is missing and
            there is no `preprocess`.
    """

    def __init__(
        self,
        series: SeriesSet,
        preprocess: Preprocessing | None = None,
        encoding: LabelEncoding | None = None,
    ) -> None:
        if preprocess is None and series.has_missing:
            raise DataError(
                f"{series.name}: found missing values; expected none without preprocessing; "
                "pass preprocess=Preprocess.fit(train)"
            )
        self.series = series
        self.preprocess = preprocess
        self.y: Tensor | None = None
        if series.y is not None and encoding is not None:
            self.y = torch.from_numpy(encoding.encode(series.y))
        elif series.y is not None and series.task == "regression":
            self.y = torch.from_numpy(series.y.astype(np.float32))

    def __len__(self) -> int:
        return len(self.series)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor | None, int]:
        x = self.series.X[index]
        seen = x if self.preprocess is None else self.preprocess.apply(x)
        y = None if self.y is None else self.y[index]
        return torch.from_numpy(np.array(seen, dtype=np.float32)), y, index

    @property
    def lengths(self) -> np.ndarray:
        """Number of time steps of each series: int64 (n,)."""
        return self.series.lengths


def collate(items: Sequence[tuple[Tensor, Tensor | None, int]]) -> Batch:
    """Pad items of a SeriesDataset on the right with zeros and stack them into a Batch."""
    xs, ys, index = zip(*items, strict=True)
    return Batch(
        torch.nn.utils.rnn.pad_sequence(list(xs), batch_first=True),
        torch.tensor([len(x) for x in xs]),
        None if ys[0] is None else torch.stack(ys),
        torch.tensor(index),
    )


class BucketSampler(Sampler[list[int]]):
    """Batches of series of similar length, in an order fixed by (seed, epoch), resumable anywhere.

    An epoch is shuffled, cut into pools of `pool` batches, sorted by length within each pool, cut
    into batches, and the batches are shuffled: little padding and still a fresh order every epoch.
    Without shuffling the batches follow the set's own order.

    Iterating goes from the current position to the end of the epoch; the next iteration takes the
    next epoch. `state_dict` is the position after the batches handed out so far; a trainer whose
    data loader reads ahead should count its own steps and call `seek(epoch, batch)` instead.

    Args:
        lengths: Number of time steps of each series (n,).
        batch_size: Series a batch; the last may be smaller.
        seed: Fixes the order together with the epoch.
        shuffle: Whether to shuffle, and to group by length.
        pool: Batches sorted together; larger means less padding and less mixing.

    Raises:
        ValueError: For sizes below one.
    """

    def __init__(
        self,
        lengths: Sequence[int] | np.ndarray,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = True,
        pool: int = 16,
    ) -> None:
        if batch_size < 1 or pool < 1:
            raise ValueError(
                f"batch_size={show(batch_size)}, pool={show(pool)}: expected at least 1"
            )
        self.lengths = np.asarray(lengths)
        self.batch_size, self.seed, self.shuffle, self.pool = batch_size, seed, shuffle, pool
        self.epoch, self.batch = 0, 0

    def plan(self, epoch: int) -> list[list[int]]:
        """Return all batches of an epoch, as lists of positions; depends on nothing else."""
        n, size = len(self.lengths), self.batch_size
        if not self.shuffle:
            return [list(range(i, min(i + size, n))) for i in range(0, n, size)]
        rng = np.random.default_rng([self.seed, epoch])
        order = rng.permutation(n)
        batches: list[list[int]] = []
        for start in range(0, n, size * self.pool):
            pool = order[start : start + size * self.pool]
            pool = pool[np.argsort(self.lengths[pool], kind="stable")]
            batches += [pool[i : i + size].tolist() for i in range(0, len(pool), size)]
        return [batches[i] for i in rng.permutation(len(batches))]

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        plan = self.plan(self.epoch)
        for k in range(self.batch, len(plan)):
            self.seek(self.epoch, k + 1)
            yield plan[k]

    def seek(self, epoch: int, batch: int = 0) -> None:
        """Go to a batch of an epoch; the next iteration starts exactly there.

        The end of an epoch is the start of the next.

        Raises:
            ValueError: When the epoch has no such position.
        """
        if epoch < 0 or not 0 <= batch <= len(self):
            raise ValueError(
                f"seek: received epoch={epoch}, batch={batch}; expected epoch >= 0 and a batch "
                f"from 0 to {len(self)}"
            )
        self.epoch, self.batch = (epoch + 1, 0) if batch == len(self) else (epoch, batch)


def make_loader(
    dataset: SeriesDataset, batch_size: int, seed: int = 0, shuffle: bool = True
) -> DataLoader:
    """Return a DataLoader of `Batch` over the dataset; its `batch_sampler` is a BucketSampler.

    The data are in memory, so it loads in the calling process. It draws nothing from torch's
    global random numbers, so that an interrupted epoch resumes with the numbers it would have had.
    """
    sampler = BucketSampler(dataset.lengths, batch_size, seed, shuffle)
    own_randomness = torch.Generator()
    return DataLoader(dataset, batch_sampler=sampler, collate_fn=collate, generator=own_randomness)
