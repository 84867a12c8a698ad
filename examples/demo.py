"""The whole road on real recordings: train, compare, stream, report.

Ten people wore a smart watch through seven shoulder exercises; series are 950 to 2,620 samples
of acceleration and rotation, and no subject is in both training and test set. S5-PTD is trained in
parallel; MiniRocket, a strong and quick baseline for such data, is trained beside it; then the same
weights read the test set as a recurrence, sample by sample.

Run it with `make demo`, or: python examples/demo.py [--out runs/demo] [--seed 0]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from aeon.classification.convolution_based import MiniRocketClassifier

from resolvent import data
from resolvent.data import Batch, SeriesSet, make_loader
from resolvent.model import Stream
from resolvent.report import write_report
from resolvent.workflow import Choices, Run, finish, fit


def main() -> None:
    """Train, compare, stream and say where the report is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/demo"), help="folder of the run")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    train, test = data.named("watch", "train"), data.named("watch", "test")
    print(f"{len(train)} series of {len(set(train.groups))} subjects to learn from, {len(test)} of")
    print(f"{len(set(test.groups))} others to be tested on; lengths {test.lengths.min()} to")
    print(f"{test.lengths.max()}, {test.n_channels} channels, 7 exercises\n")

    start = time.perf_counter()
    choices = Choices(model="s5-ptd", seed=args.seed)
    fitted = fit(train, choices, test=test, folder=args.out, overwrite=True, source="watch")
    finish(fitted)
    ours, our_time = fitted.parts["test"].scores["accuracy"], time.perf_counter() - start

    start = time.perf_counter()
    theirs = rocket_accuracy(train, test, args.seed)
    their_time = time.perf_counter() - start
    print(f"\ntest accuracy    S5-PTD {ours:.3f} ({our_time:.0f} s)", end="")
    print(f"    MiniRocket {theirs:.3f} ({their_time:.0f} s)")

    difference, per_sample = stream(fitted.run, test)
    print(
        f"streamed sample by sample: largest difference from the parallel output {difference:.1e},"
    )
    print(f"{per_sample:.0f} microseconds a sample and series")
    print(f"report: {write_report(fitted, train)}")


def rocket_accuracy(train: SeriesSet, test: SeriesSet, seed: int) -> float:
    """Test accuracy of MiniRocket, on series stretched to one length, which it needs."""
    length = int(np.median(train.lengths))
    model = MiniRocketClassifier(random_state=seed, n_jobs=-1)
    model.fit(stretched(train, length), train.y)
    return float(np.mean(model.predict(stretched(test, length)) == test.y))


def stretched(series: SeriesSet, length: int) -> np.ndarray:
    """All series resampled to one length by linear interpolation: (n, channels, length)."""
    grid = np.linspace(0, 1, length)
    return np.stack(
        [[np.interp(grid, np.linspace(0, 1, len(x)), c) for c in x.T] for x in series.X]
    )


@torch.no_grad()
def stream(run: Run, test: SeriesSet) -> tuple[float, float]:
    """Largest difference between streamed and parallel outputs, and microseconds a sample."""
    dataset = run.dataset(test)
    batch: Batch = next(iter(make_loader(dataset, len(test), shuffle=False)))
    parallel = run.model(batch.x, lengths=batch.lengths)
    recurrence = Stream(run.model)
    state = recurrence.initial_state(len(test))
    final = torch.zeros_like(parallel)
    start = time.perf_counter()
    for t in range(batch.x.shape[1]):
        output, state = recurrence(batch.x[:, t], state)
        final[batch.lengths == t + 1] = output[batch.lengths == t + 1]
    seconds = time.perf_counter() - start
    return float((final - parallel).abs().max()), 1e6 * seconds / int(batch.lengths.sum())


if __name__ == "__main__":
    main()
