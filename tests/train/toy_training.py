"""A training run of a fraction of a second, for the tests and for the processes they start."""

import os
import signal
import time
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader

from resolvent.data.loader import Batch, BucketSampler
from resolvent.train import Classification, TrainConfig, TrainingInterrupted, fit

ROWS, LENGTH, CHANNELS, CLASSES = 37, 12, 3, 3


class Toy(nn.Module):
    """Masked mean over time, a hidden layer with dropout, a norm, logits."""

    def __init__(self, dropout: float = 0.3, seed: int = 0, slow: float = 0.0) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.first = nn.Linear(CHANNELS, 8)
            self.norm = nn.LayerNorm(8)
            self.last = nn.Linear(8, CLASSES)
        self.dropout = nn.Dropout(dropout)
        self.slow = slow

    def forward(self, x, lengths):
        if self.slow and self.training:
            time.sleep(self.slow)
        real = (torch.arange(x.shape[1]) < lengths[:, None])[..., None]
        mean = torch.where(real, self.first(x).tanh(), 0.0).sum(1) / lengths[:, None]
        return self.last(self.dropout(self.norm(mean)))


def make_source(batch_size: int = 8, seed: int = 1, rows: int = ROWS, shuffle: bool = True):
    """Noisy rows whose class shows in one channel's mean; unequal lengths."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(CLASSES, (rows,), generator=generator)
    lengths = torch.randint(LENGTH // 2, LENGTH + 1, (rows,), generator=generator)
    x = torch.randn(rows, LENGTH, CHANNELS, generator=generator)
    x += nn.functional.one_hot(y, CHANNELS)[:, None]
    x *= (torch.arange(LENGTH) < lengths[:, None])[..., None]

    def collate(rows):
        index = torch.tensor(rows)
        return Batch(x[index], lengths[index], y[index], index)

    sampler = BucketSampler(lengths.numpy(), batch_size, seed=0, shuffle=shuffle)
    return DataLoader(range(rows), batch_sampler=sampler, collate_fn=collate)


CONFIG = TrainConfig(epochs=6, batch_size=8, lr=0.02, checkpoint_seconds=0.0)


def main(folder: Path, slow: float) -> None:
    """Train or resume in `folder`, saving a checkpoint after every step."""
    torch.set_num_threads(1)
    model = Toy(slow=slow)
    fit(model, make_source(), make_source(seed=2), Classification(), CONFIG, folder, resume=True)


def main_parallel(rank: int, port: int, folder: Path) -> None:
    """One of two processes that train together; the second is asked to stop, both go on."""
    os.environ |= {
        "ACCELERATE_USE_CPU": "true",
        "LOCAL_RANK": str(rank),
        "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
        "RANK": str(rank),
        "WORLD_SIZE": "2",
    }
    torch.set_num_threads(1)
    rename = os.replace

    def watched(source, target):
        with open(folder.parent / "writers", "a") as file:
            file.write(f"{rank}\n")
        rename(source, target)

    os.replace = watched

    class Stopping(Toy):
        calls = 0

        def forward(self, x, lengths):
            self.calls += self.training
            if rank == 1 and self.training and self.calls == 7:
                signal.raise_signal(signal.SIGTERM)
            return super().forward(x, lengths)

    arguments = make_source(), make_source(seed=2), Classification(), CONFIG, folder
    try:
        fit(Stopping(dropout=0.0), *arguments, quiet=True)
    except TrainingInterrupted as stop:
        assert "step 7 of 30" in str(stop)
    else:
        raise AssertionError("the run was not interrupted")
    fit(Toy(dropout=0.0), *arguments, resume=True)
    torch.distributed.destroy_process_group()
