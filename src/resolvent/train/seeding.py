"""Randomness of a run: a pure function of (seed, step, process), so that it need not be saved.

Before every optimiser step the generators are seeded from the run's seed, the step and the rank of
the process. Dropout at step 1234 is therefore the same whether the run was interrupted or not, what
happens between steps (validation, plots) cannot disturb it, and processes draw independently.

The promise of bit-identical resumption holds for the same torch, hardware, thread and process
count. On accelerators a few operations have no deterministic form; torch then warns.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def seed_all(seed: int, *key: int) -> None:
    """Seed Python's, NumPy's and torch's global generators (all devices) from whole numbers >= 0.

    Args:
        seed: The run's seed.
        *key: What distinguishes this moment: step, rank. Different keys give unrelated streams.
    """
    words = np.random.SeedSequence((seed, *key)).generate_state(4)
    random.seed(int(words[0]))
    np.random.seed(words[1])
    own = int(words[2]) << 32 | int(words[3])
    if torch.accelerator.is_available():
        torch.manual_seed(own)
    else:  # the same for the CPU, without queueing seeds (and a stack trace) for absent devices
        torch.default_generator.manual_seed(own)


@contextmanager
def deterministic() -> Iterator[None]:
    """Ask torch for deterministic algorithms, and give back every global generator afterwards.

    Who already asked torch for determinism keeps that setting.
    """
    python, numpy = random.getstate(), np.random.get_state()
    mode = torch.get_deterministic_debug_mode()
    options: Any = torch.utils.deterministic
    fill = options.fill_uninitialized_memory
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        try:
            if mode == 0:
                torch.set_deterministic_debug_mode("warn")
                options.fill_uninitialized_memory = False  # finds bugs, but costs time
            yield
        finally:
            torch.set_deterministic_debug_mode(mode)
            options.fill_uninitialized_memory = fill
            random.setstate(python)
            np.random.set_state(numpy)
