"""Language models from and to folders: ours, and the published layouts of `resolvent.interop`."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, TypeVar

import torch

from resolvent.interop import LAYOUTS, find_layout, read_config, read_tensors, write_folder
from resolvent.model.folder import SECTION as OF_SERIES
from resolvent.model.network import LanguageConfig, LanguageNetwork
from resolvent.model.tokenizer import find_tokenizer
from resolvent.model.weights import check_storage

Network = TypeVar("Network", bound=LanguageNetwork)

SINGLE = torch.float32
"""Least precision of a model."""

SECTION = "language"
"""Section of a config.json of our own that holds the fields of a `LanguageConfig`."""

ENDS = "eos_token_id"
"""Entry of a config.json that names the tokens after which nothing comes; published and ours."""

LEARNER = "model."
"""Prefix of the weights in the folder of a training run."""


def load_pretrained(
    kind: type[Network], folder: str | Path, dtype: torch.dtype | None, weights: str | None
) -> Network:
    """The body of :meth:`LanguageModel.from_pretrained`."""
    if dtype not in (None, torch.float32, torch.float64):
        raise ValueError(
            f"dtype: expected torch.float32 or torch.float64, got {dtype}; recurrences in half "
            "precision forget what they should keep; give weights= for matrices alone in fewer bits"
        )
    if weights is not None:
        check_storage(weights)
    config = read_config(folder)
    if isinstance(config.get(OF_SERIES), dict):
        raise ValueError(f"{folder}: holds a model of series; expected a language model")
    layout = None if SECTION in config else find_layout(config)
    try:
        fields = config[SECTION] if layout is None else layout.to_fields(config)
        model = kind(LanguageConfig.from_dict(fields))
    except (KeyError, TypeError) as error:
        raise ValueError(f"{folder}: config.json describes no model: {error!r}") from error
    tensors = read_tensors(folder)
    if layout is None:
        parameters = {name.removeprefix(LEARNER): x for name, x in tensors.items()}
    else:
        names = set(model.state_dict())
        parameters = layout.import_tensors(tensors, names, model.config.n_layers)
    if dtype is None:
        dtype = functools.reduce(torch.promote_types, (x.dtype for x in tensors.values()), SINGLE)
    model.to(dtype)
    try:
        model.load_state_dict(parameters)
    except RuntimeError as error:
        raise ValueError(f"{folder}: the weights are not those of config.json: {error}") from error
    model.tokenizer = find_tokenizer(folder, model.config.vocab_size)
    if config.get(ENDS) is not None:
        ends = config[ENDS]
        model.end_tokens = tuple(ends) if isinstance(ends, list) else (ends,)
    if weights is not None:
        model.pack(weights)
    return model.eval()


def save_pretrained(model: LanguageNetwork, folder: str | Path, layout: str) -> None:
    """The body of :meth:`LanguageModel.save_pretrained`."""
    if model.storage is not None:
        raise ValueError(
            f"weights: they are packed as {model.storage}, which rounds them; save the model "
            "before it is packed, or copy the folder it came from"
        )
    fields, weights = model.config.to_dict(), model.state_dict()
    ends = {ENDS: list(model.end_tokens)} if model.end_tokens else {}
    if layout == "resolvent":
        write_folder(folder, {SECTION: fields, **ends}, weights)
        return
    if layout not in LAYOUTS:
        known = ", ".join(("resolvent", *LAYOUTS))
        raise ValueError(f"layout: {layout!r} is unknown; choose one of {known}")
    chosen = LAYOUTS[layout]
    kinds = set(fields["layers"])
    plain: dict[str, Any] = {"mix": "none", "boundary": None}
    if kinds != {chosen.kind} or any(fields[name] != value for name, value in plain.items()):
        raise ValueError(
            f"layout: {layout!r} holds blocks of {chosen.kind} alone, without a mix or a boundary, "
            f"and this model has {', '.join(sorted(kinds))}; save it as 'resolvent'"
        )
    tensors = chosen.export_tensors(weights, model.config.n_layers)
    config = chosen.from_fields(fields)
    write_folder(folder, {**config, **ends} if "model_type" in config else config, tensors)
