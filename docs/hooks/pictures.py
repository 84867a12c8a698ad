"""The pictures of some pages, made by running the code on the page.

As a hook they are made before the site is built; by hand, ``python docs/hooks/pictures.py``.
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

DOCS = Path(__file__).parents[1]
PAGES = (DOCS / "theory" / "pictures.md", DOCS / "recurrences.md")
PICTURES = DOCS / "assets" / "pictures"
CODE = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
PICTURE = re.compile(r"!\[.*?\]\((?:\.\./)?assets/pictures/(.+?)\)")


def on_pre_build(config: object) -> None:
    """Make a page's pictures unless they are newer than it (a served site watches this folder)."""
    for page in PAGES:
        names = PICTURE.findall(page.read_text())
        made = [PICTURES / name for name in names if (PICTURES / name).exists()]
        oldest = min((path.stat().st_mtime for path in made), default=0.0)
        if len(made) < len(names) or oldest < page.stat().st_mtime:
            make(page)


def make(page: Path) -> None:
    """Run every code block of a page where its pictures belong."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    names: dict = {"__name__": "docs"}
    with contextlib.chdir(PICTURES):
        for code in CODE.findall(page.read_text()):
            exec(compile(code, str(page), "exec"), names)


if __name__ == "__main__":
    for each in PAGES:
        make(each)
