"""Measurements as tables of Markdown."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version

import torch

from resolvent.bench.case import Case, Row, run
from resolvent.bench.measure import Machine, processor


def heading(machine: Machine, backend: str) -> str:
    """Where and on what the measurements were made."""
    packages = [f"{name} {x}" for name in ("torch", "numpy") if (x := installed(name))]
    return "\n".join(
        [
            f"- processor: {processor()}, {os.cpu_count()} processors, "
            f"{torch.get_num_threads()} threads, {platform.system()}",
            f"- versions: Python {platform.python_version()}, {', '.join(packages)}; "
            f"kernels: {backend}",
            f"- limits: copy {machine.bandwidth:.1f} GB/s, float32 matrix product "
            f"{machine.products:.0f} GFLOP/s",
            f"- load before: {os.getloadavg()[0]:.1f}",
        ]
    )


def installed(package: str) -> str | None:
    """The version of a package, if there is one."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def table(cases: Iterable[Case], machine: Machine, runs: int) -> Iterator[tuple[str, bool]]:
    """Run the cases; the lines of their table, and whether one tells of a wrong result.

    What is being run is said on the standard error.
    """
    rows = []
    for case in cases:
        print(f"  {case.op}: {case.size}", file=sys.stderr, flush=True)
        rows.extend(run(case, machine, runs))
    peers = columns(rows)
    yield head(peers), False
    for row in rows:
        yield line(row, peers), row.ours is None


def columns(rows: Iterable[Row]) -> list[str]:
    """The names of all peers, as they come."""
    return list(dict.fromkeys(name for row in rows for name in row.peers))


def head(peers: list[str]) -> str:
    """The first two lines of a table."""
    names = ["size", "pass", "ours, ms", "reached", *peers]
    return f"| {' | '.join(names)} |\n|{'---|' * len(names)}"


def line(row: Row, peers: list[str]) -> str:
    """One line of a table; peers' times are multiples of ours."""
    if row.ours is None:
        cells = [row.size, row.kind, f"**{row.wrong}**", "", *[""] * len(peers)]
    else:
        reached = "" if row.reached is None else f"{row.reached:.0%}"
        ratios = [f"{row.peers[name]:.3g}" if name in row.peers else "" for name in peers]
        cells = [row.size, row.kind, milliseconds(row.ours), reached, *ratios]
    return f"| {' | '.join(cells)} |"


def milliseconds(time: float) -> str:
    """A time with three digits that count."""
    return f"{time:.3f}" if time < 1 else f"{time:.2f}" if time < 10 else f"{time:.1f}"
