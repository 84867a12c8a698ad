"""Sequences of tokens with a label at some of their steps, or one at their end, in batches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset

from resolvent.data.loader import Batch, BucketSampler
from resolvent.topology.padding import IGNORED


class LabelledTokens(Dataset):
    """Tokens and their labels, as (x, y, index) items.

    Args:
        x: sequences of tokens (l,), of any lengths; an array (n, l) is one such.
        y: labels (l,) of each, IGNORED where nothing is asked, or one number of each.

    Raises:
        ValueError: x and y have different lengths.
    """

    def __init__(self, x: Sequence[np.ndarray] | np.ndarray, y: Sequence[np.ndarray] | np.ndarray):
        if len(x) != len(y):
            raise ValueError(f"y: expected labels of {len(x)} sequences, got {len(y)}")
        self.x, self.y = x, y
        self.lengths = np.array([len(row) for row in x], np.int64)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, int]:
        x, y = (torch.as_tensor(np.asarray(v[index]), dtype=torch.long) for v in (self.x, self.y))
        return x, y, index


def make_token_loader(
    dataset: LabelledTokens, batch_size: int, seed: int = 0, shuffle: bool = True
) -> DataLoader:
    """Batches x (b, l), padded on the right with 0; labels (b, l), with IGNORED; or labels (b,).

    The order is a pure function of (seed, epoch), see :class:`BucketSampler`.
    """

    def collate(items: Sequence[tuple[Tensor, Tensor, int]]) -> Batch:
        x, y, index = zip(*items, strict=True)
        lengths = torch.tensor([len(row) for row in x])
        labels = pad_sequence(list(y), True, IGNORED) if y[0].ndim else torch.stack(y)
        return Batch(pad_sequence(list(x), True), lengths, labels, torch.tensor(index))

    sampler = BucketSampler(dataset.lengths, batch_size, seed, shuffle)
    return DataLoader(
        dataset, batch_sampler=sampler, collate_fn=collate, generator=torch.Generator()
    )
