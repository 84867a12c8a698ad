"""Raw-audio spoken digits, split by speaker: every model gets the same processor time.

The Free Spoken Digit Dataset (CC BY-SA 4.0; 3,000 clips of 1,148 to 18,262 samples at 8 kHz, six
speakers) is read from a folder of its recordings. Two speakers are held out for testing; nothing is
chosen on them. With --validate one of the four others is held out instead, and the test speakers
are not read: settings were compared that way.

Every neural model hears raw samples through the same encoder, which it learns with the rest: a
bank of FILTERS pairs of filters over the last WINDOW samples, every HOP samples, of which the
logarithm of the energy goes on. The filters are random at first: only that loudness matters by its
ratios need not be learned. A clip is brought to unit loudness, since the speakers' recordings
differ tenfold in it. Four speakers are few, so each clip is also learned from at other speeds,
through random short filters, in noise and with either sign.

python benchmarks/spoken_digits.py RECORDINGS [--minutes 2] [--models s5-ptd s4d s4 lstm minirocket]
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from resolvent import data
from resolvent.bench import medians
from resolvent.data import LabelEncoding, SeriesDataset, SeriesSet, make_loader
from resolvent.model import ModelConfig, build_model
from resolvent.train import Classification, TrainConfig, evaluate, fit, seed_all

BATCH = 32
WINDOW, HOP, FILTERS = 128, 32, 48
VARIANTS = 6
"""Altered copies of each clip."""

ROCKET_VARIANTS = (0, 2)
"""The same for MiniRocket, which is fitted with each: two minutes of ours hold two copies."""


class Heard(nn.Module):
    """A model of the logarithmic energies (b, l, FILTERS) that a learned filter bank gives.

    Two filters make a channel, so that its energy can be free of their phase.
    """

    def __init__(self, model: nn.Module):
        super().__init__()
        self.filters = nn.Linear(WINDOW, 2 * FILTERS, bias=False)
        self.model = model

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Samples x (b, l, HOP) to logits (b, classes)."""
        samples = nn.functional.pad(x.flatten(1), (WINDOW - HOP, 0))
        sine, cosine = self.filters(samples.unfold(1, WINDOW, HOP)).chunk(2, -1)
        return self.model((sine**2 + cosine**2 + 1e-3).log() / 2, lengths=lengths)


class LSTM(nn.Module):
    """torch's LSTM of the same width, mean over real steps, linear head."""

    def __init__(self, d_model: int, layers: int, classes: int):
        super().__init__()
        self.lstm = nn.LSTM(FILTERS, d_model, layers, batch_first=True)
        self.head = nn.Linear(d_model, classes)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Series x (b, l, FILTERS) to logits (b, classes)."""
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, True, enforce_sorted=False)
        y, _ = nn.utils.rnn.pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        return self.head(y.sum(1) / lengths[:, None])


def main() -> None:
    """Train every model for the same time and print its accuracy on unheard speakers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--minutes", type=float, default=2.0, help="of processor time, one thread")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--validate", help="score on this speaker of the training part instead")
    names = ["s5-ptd", "s4d", "s4", "lstm", "minirocket"]
    parser.add_argument("--models", nargs="+", choices=names, default=names)
    args = parser.parse_args()
    torch.set_num_threads(1)

    train, test = parts(args.recordings, args.validate)
    unheard = ", ".join(np.unique(test.groups))
    print(f"{len(train)} clips to learn from, {len(test)} of {unheard} to score on")
    print(f"torch {torch.__version__}, one thread, {args.minutes:g} minutes of processor time\n")
    print("| model | parameters | steps | minutes | accuracy |")
    print("|---|---|---|---|---|")
    for name in args.models:
        if name != "minirocket":
            print(neural(name, train, test, args), flush=True)
            continue
        for variants in ROCKET_VARIANTS:
            print(rocket(train, test, args.seed, variants), flush=True)


def parts(recordings: Path, validate: str | None) -> tuple[SeriesSet, SeriesSet]:
    """What is learned from and what is scored on, each clip at unit loudness."""
    train = data.fsdd(recordings, "train")
    if validate is None:
        return loud(train), loud(data.fsdd(recordings, "test"))
    held = np.asarray(train.groups) == validate
    return loud(train.subset(~held)), loud(train.subset(held))


def loud(series: SeriesSet) -> SeriesSet:
    """Every clip divided by its root mean square."""
    return replace(series, X=[x / max(float(np.sqrt((x**2).mean())), 1e-6) for x in series.X])


def framed(series: SeriesSet) -> SeriesSet:
    """HOP consecutive samples become the channels of a step; the last one is filled with 0."""
    X = [np.pad(x[:, 0], (0, -len(x) % HOP)).reshape(-1, HOP) for x in series.X]
    return SeriesSet(X, series.y, series.groups, series.name)


def augmented(series: SeriesSet, seed: int, variants: int) -> SeriesSet:
    """The clips and some altered copies of each, at unit loudness."""
    rng = np.random.default_rng(seed)
    X = list(series.X) + [altered(x, rng) for _ in range(variants) for x in series.X]
    return loud(replace(series, X=X, y=np.tile(series.labels, variants + 1), groups=None))


def altered(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A clip (time, 1) at 0.7 to 1.4 times the speed, filtered, in noise, with either sign."""
    n = int(len(x) * np.exp(rng.uniform(-0.35, 0.35)))
    y = np.interp(np.linspace(0, len(x) - 1, n), np.arange(len(x)), x[:, 0])
    taps = 0.5 * 0.8 ** np.arange(9) * rng.standard_normal(9)
    taps[0] += 1
    y = np.convolve(y, taps)[:n]
    noise = np.sqrt((y**2).mean()) * 10 ** rng.uniform(-2, -0.75)  # 15 to 40 dB below
    return (rng.choice([-1, 1]) * (y + noise * rng.standard_normal(n)))[:, None]


def neural(name: str, train: SeriesSet, test: SeriesSet, args: argparse.Namespace) -> str:
    """A row of the table: steps are counted out so that the cosine ends with the time."""
    encoding = LabelEncoding.fit(train.labels)
    learned = framed(augmented(train, args.seed, VARIANTS))
    loader = make_loader(SeriesDataset(learned, encoding=encoding), BATCH, args.seed)
    scored = make_loader(SeriesDataset(framed(test), encoding=encoding), BATCH, shuffle=False)
    seed_all(args.seed)
    steps = max(1, int(60 * args.minutes / seconds_per_step(build(name), loader)))
    seed_all(args.seed)
    model = build(name)
    config = TrainConfig(steps=steps, batch_size=BATCH, lr=4e-3, weight_decay=0.05, seed=args.seed)
    start = time.process_time()
    fit(model, loader, None, Classification(label_smoothing=0.1), config, quiet=True)
    minutes = (time.process_time() - start) / 60
    scores = evaluate(model, scored, Classification())
    count = sum(p.numel() for p in model.parameters())
    return f"| {name} | {count:,} | {steps} | {minutes:.1f} | {scores['accuracy']:.3f} |"


def build(name: str) -> nn.Module:
    """The model of that name: four blocks of 64 features, or an LSTM of two layers of 64.

    Time scales start between two steps and what the longest clips take.
    """
    if name == "lstm":
        return Heard(LSTM(64, 2, 10))
    scales = {"dt_min": 2e-3, "dt_max": 0.5}
    choices = {
        "s5-ptd": ("S5", {"init": "ptd", "d_state": 64, **scales}),
        "s4d": ("S4D", {"init": "legs", "d_state": 32, **scales}),
        "s4": ("S4", {"d_state": 32, **scales}),
    }
    layer, options = choices[name]
    config = ModelConfig(
        layer=layer, layer_options=options, d_model=64, n_layers=4, prenorm=False, dropout=0.2
    )
    return Heard(build_model(config, FILTERS, 10))


def seconds_per_step(model: nn.Module, loader, count: int = 10) -> float:
    """Processor time of a training step: the median of a few, after one that warms up."""
    optimizer = torch.optim.AdamW(model.parameters())
    loader.batch_sampler.seek(0)
    batches = iter(loader)

    def step() -> None:
        batch = next(batches)
        loss = nn.functional.cross_entropy(model(batch.x, lengths=batch.lengths), batch.y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return medians([step], count, time.process_time)[0] / 1e3


def rocket(train: SeriesSet, test: SeriesSet, seed: int, variants: int) -> str:
    """A row for MiniRocket on clips cut or padded to the 90th percentile of lengths."""
    from aeon.classification.convolution_based import MiniRocketClassifier

    length = int(np.quantile(train.lengths, 0.9))

    def fixed(series: SeriesSet) -> np.ndarray:
        out = np.zeros((len(series), 1, length), np.float32)
        for row, x in zip(out, series.X, strict=True):
            row[0, : min(length, len(x))] = x[:length, 0]
        return out

    learned = augmented(train, seed, variants)
    start = time.process_time()
    model = MiniRocketClassifier(random_state=seed, n_jobs=1).fit(fixed(learned), learned.labels)
    minutes = (time.process_time() - start) / 60
    accuracy = float(np.mean(model.predict(fixed(test)) == test.y))
    return f"| minirocket, {variants} copies | - | - | {minutes:.1f} | {accuracy:.3f} |"


if __name__ == "__main__":
    main()
