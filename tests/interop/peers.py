"""Randomly initialised models of transformers, of odd sizes, as the other side of parity tests.

Its modules round to float32 inside whatever the model's dtype; `in_float64` makes them compute as
they are written, so that equality can be tested to the last digits.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import torch
import transformers
from transformers.models.falcon_mamba import modeling_falcon_mamba
from transformers.models.mamba import modeling_mamba
from transformers.models.mamba2 import modeling_mamba2

SIZES = {"vocab_size": 53, "hidden_size": 18, "num_hidden_layers": 3, "state_size": 5}
HEADS = {"num_heads": 6, "head_dim": 6, "chunk_size": 4}
KINDS = {
    "mamba": ("Mamba", SIZES),
    "mamba, other options": (
        "Mamba",
        {**SIZES, "conv_kernel": 3, "time_step_rank": 3, "use_bias": True, "expand": 3},
    ),
    "mamba, without biases": ("Mamba", {**SIZES, "use_conv_bias": False}),
    "mamba2, one group": ("Mamba2", {**SIZES, **HEADS, "n_groups": 1}),
    "mamba2, three groups": ("Mamba2", {**SIZES, **HEADS, "n_groups": 3, "use_bias": True}),
    "mamba2, tied": ("Mamba2", {**SIZES, **HEADS, "n_groups": 2, "tie_word_embeddings": True}),
    "mamba2, limited steps": (
        "Mamba2",
        {**SIZES, **HEADS, "n_groups": 1, "time_step_limit": (0.01, 0.05)},
    ),
    "falcon_mamba": ("FalconMamba", SIZES),
    "falcon_mamba, untied": ("FalconMamba", {**SIZES, "tie_word_embeddings": False}),
}


def make(kind: str):
    """One of `KINDS`, every parameter nudged off its start, in evaluation mode."""
    name, options = KINDS[kind]
    config = getattr(transformers, f"{name}Config")(**options)
    model = getattr(transformers, f"{name}ForCausalLM")(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


def save(model, folder: Path, **options) -> Path:
    """Write a peer's folder as its own library does."""
    model.save_pretrained(folder, **options)
    return folder


@contextmanager
def in_float64(monkeypatch):
    """Where transformers writes float32, float64 is meant."""
    names = {name: getattr(torch, name) for name in dir(torch)}
    wide = SimpleNamespace(**{**names, "float32": torch.float64})
    with monkeypatch.context() as patch:
        patch.setattr(torch.Tensor, "float", torch.Tensor.double)
        for module in (modeling_mamba, modeling_mamba2, modeling_falcon_mamba):
            patch.setattr(module, "torch", wide)
        yield
