"""SequenceClassifier with its defaults beside MiniRocket and the deep classifiers of aeon.

Every model learns the training part of a UCR/UEA set and is scored once on its test part, with one
thread. A deep model at its published setting takes hours here, so one network of an ensemble is
trained for `--epochs` passes: at the published number if the time allows, and otherwise only to
learn what a pass costs. The last columns are what the authors report for the whole, and what it
would take on this machine.

python benchmarks/classifiers.py [--sets arrowhead ...] [--models resolvent ...] [--seeds 3]
    [--epochs 1500]

The deep models need `pip install tensorflow-cpu`, the sets and MiniRocket `pip install aeon`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch

from resolvent import SequenceClassifier, data
from resolvent.data import SeriesSet

SETS = (
    "arrowhead",
    "osuleaf",
    "pickupgesture",
    "gunpoint",
    "italypowerdemand",
    "acsf1",
    "basicmotions",
    "japanesevowels",
)
PUBLISHED = {
    "inceptiontime": (0.851, 0.934, 0.760, 1.000, 0.965, 0.940, 1.000, 0.970),
    "litetime": (0.840, 0.955, 0.780, 1.000, 0.967, 0.910, 1.000, 0.965),
    "fcn": (0.840, 0.968, 0.744, 0.997, 0.963, 0.896, 1.000, 0.973),
    "resnet": (0.838, 0.980, 0.704, 0.991, 0.962, 0.916, 1.000, 0.914),
}
"""Accuracies by set, in the order of SETS: results.csv and results_multivariate.csv (LITEMVTime) of
https://github.com/MSD-IRIMAS/LITE; ensembles of five networks, FCN and ResNet as means of five."""


class Deep(NamedTuple):
    """A deep classifier of aeon: its class, and the published numbers of epochs and networks."""

    name: str
    epochs: int
    networks: int


DEEP = {
    "inceptiontime": Deep("IndividualInceptionClassifier", 1500, 5),
    "litetime": Deep("IndividualLITEClassifier", 1500, 5),
    "fcn": Deep("FCNClassifier", 2000, 1),
    "resnet": Deep("ResNetClassifier", 1500, 1),
}
MODELS = ("resolvent", "minirocket", *DEEP)


class Score(NamedTuple):
    """Accuracy on the test part, processor seconds of the fit, and what all of a deep one takes."""

    accuracy: float
    seconds: float
    whole: float = 0.0


def main() -> None:
    """Print a row of the table for every set and model as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=("resolvent", "minirocket"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=1500, help="of one deep network, at least 2")
    args = parser.parse_args()
    if args.epochs < 2:
        parser.error(
            f"--epochs: expected at least 2, to tell a pass from the start, not {args.epochs}"
        )
    torch.set_num_threads(1)
    print("| set | model | accuracy | seconds | published | seconds, whole |")
    print("|---|---|---|---|---|---|")
    for name in args.sets:
        for model in args.models:
            scores = [measure(name, model, seed, args.epochs) for seed in range(args.seeds)]
            print(row(name, model, scores, args.epochs), flush=True)


def row(name: str, model: str, scores: list[Score], epochs: int) -> str:
    """A line of the table."""
    accuracies, seconds, whole = np.array(scores).T
    spread = f" ± {accuracies.std(ddof=1):.3f}" if len(scores) > 1 else ""
    cells = [name, model, f"{accuracies.mean():.3f}{spread}", f"{seconds.mean():.1f}"]
    if model in DEEP:
        cells[1] = f"{model}, one network, {epochs} of {DEEP[model].epochs} epochs"
        cells += [f"{PUBLISHED[model][SETS.index(name)]:.3f}", f"{whole.mean():.0f}"]
    else:
        cells += ["", ""]
    return f"| {' | '.join(cells)} |"


def measure(name: str, model: str, seed: int, epochs: int) -> Score:
    """Train one model on a set and test it."""
    train, test = (data.named(name, part) for part in ("train", "test"))
    if model == "resolvent":
        return timed(SequenceClassifier(random_state=seed), train.X, train.y, test.X, test.y)
    length = int(train.lengths.max())
    parts = fixed(train, length), train.y, fixed(test, length), test.y
    score = timed(PEERS[model](seed, epochs), *parts)
    if model not in DEEP:
        return score
    first = timed(PEERS[model](seed, 1), *parts).seconds  # with building and tracing the network
    a_pass = (score.seconds - first) / (epochs - 1)
    whole = DEEP[model].networks * (first + a_pass * (DEEP[model].epochs - 1))
    return score._replace(whole=whole)


def timed(model: Any, x: Any, y: Any, x_test: Any, y_test: Any) -> Score:
    """Fit and score; only the fit is timed."""
    start = time.process_time()
    model.fit(x, y)
    seconds = time.process_time() - start
    return Score(float(np.mean(model.predict(x_test) == y_test)), seconds)


def fixed(series: SeriesSet, length: int) -> np.ndarray:
    """Series as (n, channels, length), cut or padded with zeros: what aeon's models take."""
    out = np.zeros((len(series), series.n_channels, length), np.float32)
    for i, x in enumerate(series.X):
        out[i, :, : min(length, len(x))] = x[:length].T
    return out


def minirocket(seed: int, _: int) -> Any:
    """Aeon's MiniRocket with its defaults."""
    from aeon.classification.convolution_based import MiniRocketClassifier

    return MiniRocketClassifier(random_state=seed, n_jobs=1)


def deep(model: str) -> Callable[[int, int], Any]:
    """Makes one network of aeon's deep classifier with its published settings."""

    def make(seed: int, epochs: int) -> Any:
        import tensorflow
        from aeon.classification import deep_learning

        tensorflow.config.threading.set_intra_op_parallelism_threads(1)
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
        return getattr(deep_learning, DEEP[model].name)(n_epochs=epochs, random_state=seed)

    return make


PEERS = {"minirocket": minirocket, **{name: deep(name) for name in DEEP}}

if __name__ == "__main__":
    main()
