"""A folder with config.json and safetensors, whole or in shards; pickles are refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from resolvent.atomic import write_atomic

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json")


def read_config(folder: str | Path) -> dict[str, Any]:
    """The settings of a model folder.

    Raises:
        FileNotFoundError: there is no config.json.
        ValueError: it is not a JSON object.
    """
    path = Path(folder) / CONFIG
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder}: has no {CONFIG}; expected the folder of a run, or of a published model "
            "(download it first, models are loaded by local path)"
        )
    try:
        config = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path}: not a JSON file ({error})") from error
    if not isinstance(config, dict):
        raise ValueError(f"{path}: expected a JSON object, got {type(config).__name__}")
    return config


def read_tensors(folder: str | Path) -> dict[str, Tensor]:
    """All tensors of a model folder, from model.safetensors or from the shards of its index.

    Raises:
        FileNotFoundError: there are no weights, or a shard is missing.
        ValueError: the weights are pickles, or a file is damaged, or a shard lacks a tensor that
            the index says it has.
    """
    folder = Path(folder)
    if (folder / WEIGHTS).is_file():
        return _read(folder / WEIGHTS)
    if (folder / INDEX).is_file():
        return _read_shards(folder)
    if pickles := [name for name in PICKLES if (folder / name).is_file()]:
        raise ValueError(
            f"{folder / pickles[0]}: is a pickle, and loading one can run any code it contains. "
            "Convert it once, reading nothing but tensors: torch.load(path, weights_only=True), "
            f"then safetensors.torch.save_file of its (cloned) tensors as {WEIGHTS}"
        )
    raise FileNotFoundError(f"{folder}: has neither {WEIGHTS} nor {INDEX}")


def write_folder(
    folder: str | Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> None:
    """Write config.json and model.safetensors, each atomically."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    own = {name: x.detach().cpu().contiguous() for name, x in tensors.items()}
    write_atomic(folder / WEIGHTS, save(own, {"format": "pt"}))
    write_atomic(folder / CONFIG, json.dumps(config, indent=2) + "\n")


def _read_shards(folder: Path) -> dict[str, Tensor]:
    try:
        where = json.loads((folder / INDEX).read_text())["weight_map"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder / INDEX}: not an index of shards ({error!r})") from error
    tensors: dict[str, Tensor] = {}
    for shard in sorted(set(where.values())):
        if Path(shard).name != shard:
            raise ValueError(f"{folder / INDEX}: {shard!r} lies outside of the folder")
        tensors |= _read(folder / shard)
    if missing := sorted(set(where) - set(tensors)):
        raise ValueError(f"{folder}: the shards lack {', '.join(missing[:5])} of the index")
    return tensors


def _read(path: Path) -> dict[str, Tensor]:
    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path}: not a safetensors file ({error})") from error
    if odd := [f"{name} ({x.dtype})" for name, x in tensors.items() if not x.is_floating_point()]:
        raise ValueError(
            f"{path}: expected floating-point weights, got {', '.join(odd[:3])}; quantised models "
            "are not read"
        )
    return tensors
