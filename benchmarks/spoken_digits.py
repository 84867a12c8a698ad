"""Raw-audio spoken digits, split by speaker: every model gets the same wall-clock.

The Free Spoken Digit Dataset (CC BY-SA 4.0; 3,000 clips of 1,148 to 18,262 samples at 8 kHz, six
speakers) is read from a folder of its recordings. Two speakers are held out for testing; nothing is
chosen on them.

python benchmarks/spoken_digits.py RECORDINGS [--minutes 5] [--seed 0] [--models s5-ptd s4d s4 lstm]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from resolvent import data
from resolvent.data import LabelEncoding, Preprocess, SeriesDataset, SeriesSet, make_loader
from resolvent.model import ModelConfig, build_model
from resolvent.train import Classification, TrainConfig, evaluate, fit, seed_all

BATCH = 16


class LSTM(nn.Module):
    """torch's LSTM of the same width, mean over real steps, linear head."""

    def __init__(self, d_model: int, layers: int, classes: int):
        super().__init__()
        self.lstm = nn.LSTM(1, d_model, layers, batch_first=True)
        self.head = nn.Linear(d_model, classes)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Series x (b, l, 1) to logits (b, classes)."""
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, True, enforce_sorted=False)
        y, _ = nn.utils.rnn.pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        return self.head(y.sum(1) / lengths[:, None])


def main() -> None:
    """Train every model for the same time and print its accuracy on unheard speakers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=0)
    names = ["s5-ptd", "s4d", "s4", "lstm", "minirocket"]
    parser.add_argument("--models", nargs="+", choices=names, default=names)
    args = parser.parse_args()

    train, test = (data.fsdd(args.recordings, part) for part in ("train", "test"))
    unheard = ", ".join(np.unique(test.groups))
    print(f"{len(train)} clips to learn from, {len(test)} of {unheard} to test on")
    print(
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, {args.minutes:g} min each\n"
    )
    print("| model | parameters | steps | minutes | test accuracy |")
    print("|---|---|---|---|---|")
    for name in args.models:
        if name == "minirocket":
            print(rocket(train, test, args.seed), flush=True)
        else:
            print(neural(name, train, test, args), flush=True)


def neural(name: str, train: SeriesSet, test: SeriesSet, args: argparse.Namespace) -> str:
    """A row of the table: steps are counted out so that the cosine ends with the time."""
    preprocess, encoding = Preprocess.fit(train), LabelEncoding.fit(train.y)
    datasets = [SeriesDataset(part, preprocess, encoding) for part in (train, test)]
    loader = make_loader(datasets[0], BATCH, args.seed)
    seed_all(args.seed)
    per_step = seconds_per_step(build(name), loader)
    steps = max(1, int(60 * args.minutes / per_step))
    seed_all(args.seed)
    model = build(name)
    config = TrainConfig(steps=steps, batch_size=BATCH, lr=4e-3, weight_decay=0.05, seed=args.seed)
    start = time.perf_counter()
    fit(model, loader, None, Classification(), config, quiet=True)
    minutes = (time.perf_counter() - start) / 60
    scores = evaluate(model, make_loader(datasets[1], BATCH, shuffle=False), Classification())
    count = sum(p.numel() for p in model.parameters())
    return f"| {name} | {count:,} | {steps} | {minutes:.1f} | {scores['accuracy']:.3f} |"


def build(name: str) -> nn.Module:
    """The model of that name: four blocks of 64 features, or an LSTM of two layers of 64."""
    if name == "lstm":
        return LSTM(64, 2, 10)
    scales = {"dt_min": 1e-4, "dt_max": 0.5}
    choices = {
        "s5-ptd": ("S5", {"init": "ptd", "d_state": 64, **scales}),
        "s4d": ("S4D", {"init": "legs", "d_state": 32, **scales}),
        "s4": ("S4", {"d_state": 32, **scales}),
    }
    layer, options = choices[name]
    config = ModelConfig(
        layer=layer, layer_options=options, d_model=64, n_layers=4, prenorm=False, dropout=0.1
    )
    return build_model(config, 1, 10)


def seconds_per_step(model: nn.Module, loader, count: int = 6) -> float:
    """Mean time of a few training steps, the first left out."""
    optimizer = torch.optim.AdamW(model.parameters())
    loader.batch_sampler.seek(0)
    start = 0.0
    for i, batch in zip(range(count + 1), loader, strict=False):
        if i == 1:
            start = time.perf_counter()
        loss = nn.functional.cross_entropy(model(batch.x, lengths=batch.lengths), batch.y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return (time.perf_counter() - start) / count


def rocket(train: SeriesSet, test: SeriesSet, seed: int) -> str:
    """A row for MiniRocket on clips cut or padded to the 90th percentile of lengths."""
    from aeon.classification.convolution_based import MiniRocketClassifier

    length = int(np.quantile(train.lengths, 0.9))

    def fixed(series: SeriesSet) -> np.ndarray:
        out = np.zeros((len(series), 1, length), np.float32)
        for row, x in zip(out, series.X, strict=True):
            row[0, : min(length, len(x))] = x[:length, 0]
        return out

    start = time.perf_counter()
    model = MiniRocketClassifier(random_state=seed, n_jobs=-1).fit(fixed(train), train.y)
    accuracy = float(np.mean(model.predict(fixed(test)) == test.y))
    minutes = (time.perf_counter() - start) / 60
    return f"| minirocket | - | - | {minutes:.1f} | {accuracy:.3f} |"


if __name__ == "__main__":
    main()
