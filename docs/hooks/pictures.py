"""The pictures of theory/pictures.md, made by running the code on that page.

As a hook they are made before the site is built; by hand, ``python docs/hooks/pictures.py``.
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

DOCS = Path(__file__).parents[1]
PAGE, PICTURES = DOCS / "theory" / "pictures.md", DOCS / "assets" / "pictures"


def on_pre_build(config: object) -> None:
    """Make the pictures unless they are newer than the page (a served site watches this folder)."""
    names = re.findall(r'savefig\("(.+?)"\)', PAGE.read_text())
    made = [PICTURES / name for name in names if (PICTURES / name).exists()]
    oldest = min((path.stat().st_mtime for path in made), default=0.0)
    if len(made) < len(names) or oldest < PAGE.stat().st_mtime:
        make()


def make() -> None:
    """Run every code block of the page where its pictures belong."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    names: dict = {"__name__": "docs"}
    with contextlib.chdir(PICTURES):
        for code in re.findall(
            r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE
        ):
            exec(compile(code, str(PAGE), "exec"), names)


if __name__ == "__main__":
    make()
