"""The small text that claims about language models share: the modules of Python's own library."""

from __future__ import annotations

import math
import sysconfig
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from resolvent.data.tasks import TokenTask
from resolvent.data.tokens import LabelledTokens
from resolvent.model import LanguageConfig
from resolvent.papers.tokens import BATCH, trained

HELD_OUT = 20
"""One in so many files is only tested on."""
WINDOW, STEPS = 96, 250


def bits_per_byte(config: LanguageConfig, seed: int) -> float:
    """Of a model of 256 tokens after a short training, on windows of files it has not seen."""
    x, y, _ = _windows(BATCH * STEPS, 2 * seed, learned=True)
    model = trained(config, LabelledTokens(x, y), seed)
    x, y = (torch.from_numpy(v) for v in _windows(512, 2 * seed + 1, learned=False)[:2])
    with torch.no_grad():
        loss = cross_entropy(model(x)[0].mT, y)
    return float(loss) / math.log(2)


def _windows(n: int, seed: int, learned: bool) -> TokenTask:
    """Windows at random places of the text, or of the part that is tested on."""
    text = _text()[0 if learned else 1]
    start = np.random.default_rng(seed).integers(0, len(text) - WINDOW - 1, n)
    both = text[start[:, None] + np.arange(WINDOW + 1)].astype(np.int64)
    return TokenTask(both[:, :-1], both[:, 1:], 256)


@cache
def _text() -> tuple[np.ndarray, np.ndarray]:
    """The top-level modules: bytes to learn from, and to test on."""
    files = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    parts = [[], []]
    for index, file in enumerate(files):
        parts[index % HELD_OUT == 0].append(file.read_bytes())
    learned, tested = (np.frombuffer(b"".join(x), np.uint8) for x in parts)
    return learned, tested
