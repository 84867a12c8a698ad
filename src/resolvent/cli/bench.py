"""`resolvent bench`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated, ClassVar

from tyro.conf import Positional, arg

from resolvent.cli.errors import Usage, suggestion


@dataclass(frozen=True)
class Command:
    """Time the ops on this machine, beside other ways to do it and beside its limits.

    Every result is compared with a float64 reference before it is timed; one that is wrong is not
    timed, and the exit code is 1. Times are medians of calls that take turns; those of the others
    are multiples of ours. "reached" is the share of the measured limit: of a large matrix product's
    speed, or of a large copy's for what only moves memory (more than 100%: it was in a cache).

    Attributes:
        ops: Which ops; all by default.
        list: Say what there is, and run nothing.
        runs: Calls whose median is taken.
        threads: Threads; as many as PyTorch takes by default.
        backend: What the kernels run on: auto, torch, baseline, avx2 or avx512.
        out: A Markdown file for the tables; by default they are only printed.
    """

    EXAMPLES: ClassVar[str] = """examples:
  resolvent bench --list
  resolvent bench selective_scan diagonal_ssm --threads 1
  resolvent bench --out results.md"""

    ops: Annotated[Positional[tuple[str, ...]], arg(metavar="OP")] = ()
    list: bool = False
    runs: int = 5
    threads: int | None = None
    backend: str = "auto"
    out: Path | None = None

    def run(self) -> int:
        """Measure one op after the other; each line is printed when it is known."""
        from resolvent.bench import CASES, about

        for name, value in (("--runs", self.runs), ("--threads", self.threads)):
            if value is not None and value < 1:
                raise Usage(f"{name}: expected at least 1, got {value}")
        for name in self.ops:
            if name not in CASES:
                raise Usage(f"no op {name!r}{suggestion(name, CASES)}; see resolvent bench --list")
        if self.list:
            for name in CASES:
                print(f"{name:20}{about(name)}")
            return 0
        return self._measure(self.ops or tuple(CASES))

    def _measure(self, names: tuple[str, ...]) -> int:
        import torch

        from resolvent.atomic import write_atomic
        from resolvent.bench import CASES, about, heading, limits, table
        from resolvent.kernels import using

        if self.threads is not None:
            torch.set_num_threads(self.threads)
        torch.manual_seed(0)
        said: list[str] = []
        with using(self.backend) as backend:
            machine = limits()
            said.append(heading(machine, backend.name))
            print(said[0], flush=True)
            wrong = 0
            for name in names:
                title = f"\n## {name}: {about(name)}\n"
                lines = table(CASES[name](), machine, self.runs)
                for text, is_wrong in chain([(title, False)], lines):
                    print(text, flush=True)
                    said.append(text)
                    wrong += is_wrong
        if self.out:
            write_atomic(self.out, "\n".join(said) + "\n")
        if wrong:
            print(f"{wrong} wrong results were not timed", file=sys.stderr)
        return 1 if wrong else 0
