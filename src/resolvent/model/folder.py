"""A model on disk: a folder whose ``config.json`` has a section "model" and whose
``model.safetensors`` holds the weights. The folder of a training run is one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from resolvent.atomic import write_atomic
from resolvent.interop.files import CONFIG, WEIGHTS
from resolvent.model.build import build_model
from resolvent.model.config import ModelConfig
from resolvent.model.sequence import SequenceModel

SECTION = "model"


def describe(model: SequenceModel) -> dict[str, Any]:
    """The section "model" of a ``config.json``: all that :func:`build_model` needs, ready for JSON.

    Raises:
        ValueError: the model was built by hand, so nothing but code describes it.
    """
    if model.config is None:
        raise ValueError(
            "model: it was built by hand and has no config; make it with build_model, or save its "
            "state_dict with safetensors"
        )
    config = model.config.to_dict()
    return {"config": config, "d_input": model.d_input, "n_outputs": model.n_outputs}


def save_model(model: SequenceModel, folder: str | Path) -> None:
    """Write a model that :func:`build_model` made; other sections of ``config.json`` stay.

    Raises:
        ValueError: the model was built by hand, so nothing but code describes it.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / CONFIG
    others = json.loads(path.read_text()) if path.exists() else {}
    text = json.dumps({**others, SECTION: describe(model)}, indent=2)
    weights = {name: x.detach().cpu().contiguous() for name, x in model.state_dict().items()}
    write_atomic(path, text + "\n")
    write_atomic(folder / WEIGHTS, save(weights))


def load_model(folder: str | Path) -> SequenceModel:
    """Read a model folder; in evaluation mode, on the CPU, in the dtype of its weights.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file is damaged, or the weights are not those of the described model.
    """
    model = _from_description(Path(folder) / CONFIG)
    path = Path(folder) / WEIGHTS
    try:
        weights = load(path.read_bytes())
    except SafetensorError as error:
        raise ValueError(f"{path}: not a safetensors file ({error})") from error
    model.to(next((x.dtype for x in weights.values() if x.is_floating_point()), torch.float32))
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(
            f"{path}: the weights are not those of {CONFIG}'s model: {error}"
        ) from error
    return model.eval()


def _from_description(path: Path) -> SequenceModel:
    try:
        section = json.loads(path.read_text())[SECTION]
        config = ModelConfig.from_dict(section["config"])
        return build_model(config, section["d_input"], section["n_outputs"])
    except KeyError as error:
        raise ValueError(f"{path}: describes no model, {error} is missing") from error
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: describes no model: {error}") from error
