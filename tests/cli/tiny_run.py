"""A data set small enough to train on in a second, and the commands that do it."""

from __future__ import annotations

import numpy as np

SMALL = ["--d-model", "8", "--d-state", "4", "--n-layers", "1", "--quiet"]


def table(n: int = 12, seed: int = 0, labelled: bool = True) -> str:
    """A long CSV table: slow and fast oscillations of two channels, unequal lengths, gaps."""
    rng = np.random.default_rng(seed)
    lines = ["case,step,level,pace" + (",label" if labelled else "")]
    for i in range(n):
        fast = i % 2
        for t in range(14 + i % 3):
            level = "" if rng.random() < 0.05 else f"{np.sin((1 + fast) * t / 2):.4f}"
            label = (",fast" if fast else ",slow") if labelled else ""
            lines.append(f"{i},{t},{level},{rng.normal() + fast:.4f}{label}")
    return "\n".join(lines) + "\n"


def rows(text: str) -> list[str]:
    """The values of each series of a long table as CSV rows, with an empty line between series."""
    out, before = [], None
    for line in text.splitlines()[1:]:
        case, _, level, pace, *_ = line.split(",")
        if before not in (None, case):
            out.append("")
        out.append(f"{level},{pace}")
        before = case
    return out
