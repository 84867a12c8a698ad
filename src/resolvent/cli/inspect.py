"""`resolvent inspect`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from tyro.conf import Positional, arg


@dataclass(frozen=True)
class Command:
    """Look into a trained model: eigenvalues, step sizes, impulse responses, memory, pseudospectra.

    Pictures go to a folder; what they say in numbers is printed.

    Attributes:
        folder: The run.
        out: Where the pictures go; by default RUN/pictures.
    """

    EXAMPLES: ClassVar[str] = """examples:
  resolvent inspect runs/gunpoint
  resolvent inspect runs/gunpoint --out figures"""

    folder: Annotated[Positional[Path], arg(metavar="RUN")]
    out: Path | None = None

    def run(self) -> int:
        """Draw, write, print."""
        from resolvent.atomic import write_atomic
        from resolvent.plots import inspect_model, to_svg
        from resolvent.workflow import load_run

        run = load_run(self.folder)
        out = self.out or self.folder / "pictures"
        for picture in inspect_model(run.model):
            name = re.sub(r"\W+", "-", picture.title.lower()).strip("-")
            write_atomic(out / f"{name}.svg", to_svg(picture.figure))
            print(f"{picture.title}\n{picture.text}\n")
        print(f"pictures in {out}")
        return 0
