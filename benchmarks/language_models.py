"""Language models of equal size on one text, each with the same time: bits per byte.

The text is a file that you name; two that reach any machine: the King James Bible (Debian package
bible-kjv: `bible -f gen1:1-rev22:21 > bible.txt`, 4.4 MB) and the sources of Python's own library.
Every model reads bytes; its width is chosen so that all have about the same number of parameters,
and its number of steps so that training takes the given time of the processor on one thread, which
pauses of the machine do not change. The last twentieth of the text is held out, and nothing is
chosen on it.

python benchmarks/language_models.py TEXT [--minutes 5] [--parameters 400000] [--models mamba s4d]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from resolvent.bench import medians
from resolvent.choices import LANGUAGE_MODELS, LanguageChoices
from resolvent.model import LanguageModel
from resolvent.train import Learner
from resolvent.workflow.language import BOUNDARY, fit_language, language_config

DEFAULT = ("mamba", "mamba2", "h3-hybrid", "s4d", "lstm", "transformer")


def size(choices: LanguageChoices) -> int:
    """Parameters of a model."""
    model = LanguageModel(language_config(choices, BOUNDARY + 1, BOUNDARY))
    return sum(x.numel() for x in model.parameters())


def of_size(choices: LanguageChoices, parameters: int) -> LanguageChoices:
    """The widest model, by multiples of 8, of at most a number of parameters."""
    wider = choices = replace(choices, d_model=16)
    while size(wider) <= parameters:
        choices, wider = wider, replace(wider, d_model=wider.d_model + 8)
    return choices


def seconds_a_step(choices: LanguageChoices) -> float:
    """Processor time of training alone: the median of a few steps, after one that warms up."""
    learner = Learner(LanguageModel(language_config(choices, BOUNDARY + 1, BOUNDARY)))
    x = torch.randint(0, 256, (choices.batch_size, choices.length + 1))
    (step,) = medians([lambda: learner(x).mean().backward()], 3, time.process_time)
    return step / 1e3


def main() -> None:
    """Train each model for the same time; a row's seconds include validation."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--parameters", type=int, default=400_000)
    parser.add_argument("--models", nargs="+", default=DEFAULT, choices=list(LANGUAGE_MODELS))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("model         parameters  width  steps  seconds  bits per byte", flush=True)
    for name in options.models:
        choices = of_size(LanguageChoices(name, seed=options.seed), options.parameters)
        steps = max(1, int(60 * options.minutes / seconds_a_step(choices)))
        choices = replace(choices, steps=steps)
        with tempfile.TemporaryDirectory() as folder:
            start = time.process_time()
            _, result = fit_language(options.text, choices, Path(folder), quiet=True)
            seconds = time.process_time() - start
            scores = json.loads((Path(folder) / "scores.json").read_text())
        print(
            f"{name:12}  {size(choices):10,}  {choices.d_model:5}  {result.step:5}  "
            f"{seconds:7.0f}  {scores['validation']['bits_per_byte']:.4f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
