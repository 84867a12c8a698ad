"""Reading a prompt and writing token by token: language models of 130 M parameters and their peers.

python benchmarks/language_inference.py [--models mamba mamba2] [--weights float32 bfloat16 int8]
    [--tokens 512] [--runs 5] [--threads 2] [--peers llama.cpp transformers]

The weights are random; a peer gets the same, and is timed only after its logits were compared with
ours. Times are medians of turns that all take one after the other. Peers that are not installed
are skipped with a word:

- llama.cpp (`pip install llama-cpp-python gguf`), in its own types F32, BF16 and Q8_0;
- transformers, whose models on a CPU are its "slow path", in float32 and bfloat16.

The limits: a prompt is matrix products, so its floor is those of its linear maps at the machine's
speed of them; a step reads every weight once, so its floor is their bytes at the speed of memory.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import tempfile
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from resolvent.bench import medians
from resolvent.kernels import linear, pack
from resolvent.model import Decoder, LanguageConfig, LanguageModel, read

VOCABULARY = 50_280
LAYERS = {"mamba": "Mamba", "mamba2": "Mamba2"}
LAYOUTS = {"mamba": "transformers-mamba", "mamba2": "transformers-mamba2"}


def limits() -> tuple[float, float]:
    """GB/s of reading what fits no cache, GFLOP/s of a float32 matrix product; the best of two."""
    x = torch.ones(1 << 27)
    memory = min(medians([lambda: torch.sum(x), lambda: torch.amax(x)], 3))
    u, w = torch.randn(512, 768), torch.randn(3072, 768)
    packed = pack(w, "float32")
    product = min(medians([lambda: F.linear(u, w), lambda: linear(u, packed)], 3))
    return 4 * x.numel() / memory / 1e6, 2 * 512 * 768 * 3072 / product / 1e6


class Ours:
    """This package, with its matrices stored in some way."""

    def __init__(self, model: LanguageModel, weights: str):
        self.model = deepcopy(model)
        self.model.pack(weights)

    def prompt(self, tokens: list[int]) -> torch.Tensor:
        """Logits of what follows some tokens, read at once."""
        self.decoder = Decoder(self.model, read(self.model, [torch.tensor(tokens)]))
        return self.decoder.logits[0]

    def step(self) -> None:
        """Read one more token."""
        self.decoder.read(torch.zeros(1, dtype=torch.long))


class LlamaCpp:
    """llama.cpp."""

    def __init__(self, model: LanguageModel, weights: str, tokens: int):
        from peer_llama import Peer, write

        with tempfile.TemporaryDirectory() as folder:
            write(model, Path(folder) / "model.gguf", weights)
            self.peer = Peer(Path(folder) / "model.gguf", torch.get_num_threads(), tokens)

    def prompt(self, tokens: list[int]) -> torch.Tensor:
        """Logits of what follows some tokens, read at once."""
        self.peer.forget()
        return torch.from_numpy(self.peer.read(tokens).copy())

    def step(self) -> None:
        """Read one more token."""
        self.peer.read([0])


class Transformers:
    """transformers without its kernels for GPUs."""

    def __init__(self, model: LanguageModel, kind: str, weights: str):
        import transformers

        transformers.logging.set_verbosity_error()
        with tempfile.TemporaryDirectory() as folder:
            model.save_pretrained(folder, LAYOUTS[kind])
            load = transformers.AutoModelForCausalLM.from_pretrained
            self.model = load(folder, dtype=getattr(torch, weights)).eval()

    @torch.no_grad()
    def prompt(self, tokens: list[int]) -> torch.Tensor:
        """Logits of what follows some tokens, read at once."""
        out = self.model(torch.tensor([tokens]), use_cache=True, logits_to_keep=1)
        self.cache = out.cache_params
        return out.logits[0, -1].float()

    @torch.no_grad()
    def step(self) -> None:
        """Read one more token."""
        self.model(torch.zeros(1, 1, dtype=torch.long), cache_params=self.cache, use_cache=True)


def subjects(kind: str, model: LanguageModel, weights: str, options: argparse.Namespace) -> dict:
    """What to time, ours first."""
    found: dict[str, Any] = {"resolvent": Ours(model, weights)}
    installed = {x: importlib.util.find_spec(x) for x in ("llama_cpp", "gguf", "transformers")}
    if "llama.cpp" in options.peers:
        if installed["llama_cpp"] and installed["gguf"]:
            found["llama.cpp"] = LlamaCpp(model, weights, options.tokens)
        else:
            print("llama.cpp is skipped: pip install llama-cpp-python gguf")
    if "transformers" in options.peers and weights != "int8":
        if installed["transformers"]:
            found["transformers"] = Transformers(model, kind, weights)
        else:
            print("transformers is skipped: it is not installed")
    return found


def table(
    kind: str, weights: str, options: argparse.Namespace, machine: tuple[float, float]
) -> None:
    """One row a subject."""
    torch.manual_seed(0)
    config = LanguageConfig(VOCABULARY, 768, 24, (LAYERS[kind],))
    model = LanguageModel(config).eval().requires_grad_(False)
    prompt = torch.randint(0, VOCABULARY, (options.tokens,)).tolist()
    found = subjects(kind, model, weights, options)
    matrices = sum(x.weight.numel() for x in model.modules() if isinstance(x, torch.nn.Linear))
    head = model.embedding.weight.numel()
    bytes_ = {"float32": 4, "bfloat16": 2, "int8": 1 + 4 / 64}[weights] * (matrices + head)
    exact = Ours(model, "float32").prompt(prompt)
    errors = [(s.prompt(prompt) - exact).norm() / exact.norm() for s in found.values()]
    for name, error in zip(found, errors, strict=True):
        if not error < 0.1:
            raise SystemExit(f"{name}: logits are off by {error:.1e}, not timed")
    prompts = medians([partial(s.prompt, prompt) for s in found.values()], options.runs)
    steps = medians([s.step for s in found.values()], options.runs)
    for name, error, prompt_ms, step_ms in zip(found, errors, prompts, steps, strict=True):
        reading, writing = 1e3 * options.tokens / prompt_ms, 1e3 / step_ms
        floor = 2 * matrices * reading / 1e9 / machine[1], bytes_ * writing / 1e9 / machine[0]
        print(
            f"| {kind} | {weights} | {name} | {reading:.0f} | {floor[0]:.0%} | "
            f"{prompt_ms / prompts[0]:.2f} | {writing:.1f} | {floor[1]:.0%} | "
            f"{step_ms / steps[0]:.2f} | {error:.1e} |",
            flush=True,
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", nargs="+", default=list(LAYERS), choices=list(LAYERS))
    parser.add_argument("--weights", nargs="+", default=["float32", "bfloat16", "int8"])
    parser.add_argument("--peers", nargs="*", default=["llama.cpp", "transformers"])
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    machine = limits()
    print(f"torch {torch.__version__}, {options.threads} threads, load {os.getloadavg()[0]:.1f}")
    print(f"limits: memory {machine[0]:.1f} GB/s, matrix product {machine[1]:.0f} GFLOP/s\n")
    print(
        "| model | weights | by | prompt tokens/s | of the limit | ours over it | written tokens/s "
        "| of the limit | ours over it | error of the logits |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for kind in options.models:
        for weights in options.weights:
            table(kind, weights, options, machine)


if __name__ == "__main__":
    main()
