"""Our Mamba and transformers' Mamba in a race: bits per byte over the processor time of training.

Both start from the same weights and see the same batches of bytes in the same order, with the same
optimiser and one thread; so a step of the one is a step of the other, and the race is decided by
what a step costs. Time is that of the processor, so that pauses of the machine do not count. The
last twentieth of the text is held out.

python benchmarks/against_transformers.py TEXT [--seconds 60] [--d-model 64] [--layers 2]
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import transformers
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from resolvent.model import LanguageModel

Logits = Callable[[Tensor], Tensor]


def contenders(d_model: int, layers: int) -> dict[str, tuple[nn.Module, Logits]]:
    """Transformers' model, and ours read from its folder."""
    torch.manual_seed(0)
    config = transformers.MambaConfig(
        vocab_size=256, hidden_size=d_model, num_hidden_layers=layers, use_cache=False
    )
    theirs = transformers.MambaForCausalLM(config)
    with tempfile.TemporaryDirectory() as folder:
        theirs.save_pretrained(folder)
        ours = LanguageModel.from_pretrained(folder)
    return {
        "transformers": (theirs, lambda x: theirs(x).logits),
        "resolvent": (ours, lambda x: ours(x)[0]),
    }


def bits_per_byte(logits: Logits, windows: Tensor) -> float:
    """Of windows (n, length + 1)."""
    with torch.no_grad():
        losses = [cross_entropy(logits(x[:, :-1]).mT, x[:, 1:]) for x in windows.split(16)]
    return float(torch.stack(losses).mean()) / math.log(2)


def race(
    model: nn.Module,
    logits: Logits,
    text: np.ndarray,
    held_out: Tensor,
    options: argparse.Namespace,
) -> list[tuple[float, int, float]]:
    """Train until the time is up: (processor seconds, steps, bits per byte) at quarters of it."""
    rng, optimiser = np.random.default_rng(0), torch.optim.AdamW(model.parameters(), lr=3e-3)
    spent, step, seen = 0.0, 0, []
    while len(seen) < 4:
        start = rng.integers(0, len(text) - options.length - 1, options.batch_size)
        x = torch.from_numpy(text[start[:, None] + np.arange(options.length + 1)].astype(np.int64))
        began = time.process_time()
        loss = cross_entropy(logits(x[:, :-1]).mT, x[:, 1:])
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        spent, step = spent + time.process_time() - began, step + 1
        if spent >= options.seconds * (len(seen) + 1) / 4:
            seen.append((spent, step, bits_per_byte(logits, held_out)))
    return seen


def main() -> None:
    """Race, and print both courses and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--d-model", type=int, default=64)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(1)
    text = np.frombuffer(options.text.read_bytes(), np.uint8)
    cut = len(text) - len(text) // 20
    rows = text[cut:][: 32 * (options.length + 1)].reshape(-1, options.length + 1)
    held_out = torch.from_numpy(rows.astype(np.int64))
    courses = {}
    print("model         seconds   steps  ms a step  bits per byte", flush=True)
    for name, (model, logits) in contenders(options.d_model, options.layers).items():
        courses[name] = race(model, logits, text[:cut], held_out, options)
        for spent, step, bits in courses[name]:
            print(
                f"{name:12}  {spent:7.1f}  {step:6}  {1e3 * spent / step:9.1f}  {bits:13.4f}",
                flush=True,
            )
    theirs, ours = courses["transformers"], courses["resolvent"]
    speed = ours[-1][1] / ours[-1][0] / (theirs[-1][1] / theirs[-1][0])
    print(f"steps in the same time: {speed:.2f} times as many")
    passed = next((s for s, _, bits in ours if bits <= theirs[-1][2]), None)
    if passed is not None:
        print(f"their last score is passed within {passed:.1f} s, a {theirs[-1][0] / passed:.1f}th")


if __name__ == "__main__":
    main()
