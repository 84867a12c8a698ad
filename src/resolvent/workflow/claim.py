"""Whose a run folder is: one process at a time, and one run from its claim to its scores."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from resolvent import train as training
from resolvent.atomic import write_atomic
from resolvent.data.errors import show
from resolvent.model.folder import CONFIG, WEIGHTS
from resolvent.train import FitResult
from resolvent.train.checkpoint import CHECKPOINT, METRICS
from resolvent.workflow.run import SCORES, read_config

FILES = (CONFIG, CHECKPOINT, METRICS, WEIGHTS, SCORES)
"""What a run consists of, besides its report."""


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other processes from training in `folder`; the lock of a killed process is free.

    Raises:
        ValueError: Another process trains there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise ValueError(
            f"{folder}: another process is training here; wait for it, or name another folder "
            "with --out"
        ) from None
    try:
        yield
    finally:
        lock.release()


def claim(folder: Path, sections: Mapping[str, Any], held: Sequence[str], overwrite: bool) -> None:
    """Make `folder` this run's: start it, or check that what is there is the same run, unfinished.

    Args:
        folder: The run folder.
        sections: Of its config.json.
        held: Names of those that must be the same in an unfinished run.
        overwrite: Delete the run that is there.

    Raises:
        ValueError: It holds a finished run, or another one.
    """
    if overwrite:
        for name in FILES:
            (folder / name).unlink(missing_ok=True)
    remedy = "start over with --overwrite, or name another folder with --out"
    if (folder / SCORES).exists():
        raise ValueError(f"{folder}: the run here is finished; {remedy}")
    if (folder / CONFIG).exists():
        there = read_config(folder)
        for section in held:
            for key, value in json.loads(json.dumps(sections[section])).items():
                known = there.get(section, {}).get(key)
                if known != value:
                    raise ValueError(
                        f"{folder}: an unfinished run with {key} {show(known)} is here, now it is "
                        f"{show(value)}; resume it with its own settings, {remedy}"
                    )
    training.update_config(folder, **sections)


def conclude(
    folder: Path, result: FitResult, parts: Mapping[str, Mapping[str, float]], **facts: int
) -> None:
    """Write scores.json, whose presence says that the run in `folder` is finished.

    Args:
        folder: The run folder.
        result: Of the training loop.
        parts: Scores of each part; what is not finite becomes null.
        facts: What else is to be told.
    """
    scores = {
        "status": result.status,
        "steps": result.step,
        "seconds": result.history[-1]["seconds"],
        **facts,
        **{part: _json_numbers(numbers) for part, numbers in parts.items()},
    }
    write_atomic(folder / SCORES, json.dumps(scores, indent=2) + "\n")


def _json_numbers(scores: Mapping[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in scores.items()}
