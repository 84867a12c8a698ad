"""What is seen of a run: a bar with the time left, or plain lines where there is no terminal."""

import time

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class Display:
    """Context that shows a run on standard error.

    Args:
        total: Steps of the whole run.
        step: Steps already taken.
        quiet: Show nothing.
        unit: What the steps' terms are called, rows or tokens.
        console: Where to write; default standard error.
    """

    def __init__(
        self,
        total: int,
        step: int,
        quiet: bool,
        unit: str = "rows",
        console: Console | None = None,
    ) -> None:
        self._console = console or Console(stderr=True, quiet=quiet)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            refresh_per_second=4,
            disable=quiet or not self._console.is_terminal,
        )
        self._task = self._bar.add_task("starting", total=total, completed=step)
        self._total = total
        self._unit = unit
        self._count, self._started = 0, time.monotonic()

    def __enter__(self) -> "Display":
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def step(self, step: int, loss: float, count: int) -> None:
        """One optimiser step was taken, over ``count`` rows or tokens."""
        self._count += count
        text = f"loss {loss:.4g}  {self._rate()}"
        self._bar.update(self._task, completed=step, description=text)

    def row(self, row: dict, metric: str | None) -> None:
        """One validation was made; without a terminal this is the only sign of life."""
        names = ["train_loss"] + ([] if metric is None else ["valid_loss", f"valid_{metric}"])
        shown = {name: "nan" if row[name] is None else f"{row[name]:.4g}" for name in names}
        numbers = "  ".join(f"{name} {value}" for name, value in shown.items())
        left = row["seconds"] * (self._total - row["step"]) / row["step"]
        tail = f"  {self._rate()}"
        tail += "" if self._console.is_terminal else f"  left {left:.0f} s"
        self._console.print(
            f"step {row['step']}/{self._total}  epoch {row['epoch']}  {numbers}{tail}",
            highlight=False,
            soft_wrap=True,
        )

    def _rate(self) -> str:
        rate = self._count / max(time.monotonic() - self._started, 1e-9)
        return f"{rate:,.0f} {self._unit}/s"
