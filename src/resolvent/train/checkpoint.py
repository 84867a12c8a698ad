"""Files of a run, each written whole or not at all.

A checkpoint is ONE safetensors file (weights, optimiser moments; the scalars as JSON in its
header), put in place by a rename: whoever reads finds the old one or the new one, never a mixture.
Nothing is unpickled. Schedule and randomness are functions of the step and need no room here.
"""

import json
import warnings
from dataclasses import asdict, dataclass, field
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim import Optimizer

from resolvent.atomic import write_atomic
from resolvent.model.folder import CONFIG, WEIGHTS

CHECKPOINT = "checkpoint.safetensors"
METRICS = "metrics.jsonl"


@dataclass
class RunState:
    """Where a run stands, apart from its tensors.

    Attributes:
        step: Optimiser steps taken; epoch and position in it follow.
        loss_sum: Training loss summed since the last validation.
        loss_count: How many terms `loss_sum` has.
        seconds: Time spent training, over all resumptions.
        history: One row a validation, as in metrics.jsonl; best and early stopping follow from it.
    """

    step: int = 0
    loss_sum: float = 0.0
    loss_count: int = 0
    seconds: float = 0.0
    history: list[dict] = field(default_factory=list)


def to_json(value: object, indent: int | None = None) -> str:
    """Strict JSON: NaN and infinities, which no other reader knows, are ValueErrors."""
    return json.dumps(value, indent=indent, allow_nan=False)


def clear_leftovers(folder: Path) -> None:
    """Remove the temporary files of writes that a kill cut short."""
    for name in (CHECKPOINT, WEIGHTS, METRICS, CONFIG):
        for path in folder.glob(f".{name}.*.tmp"):
            path.unlink(missing_ok=True)


def update_config(folder: Path, **sections: object) -> None:
    """Add named sections to the run's config.json; sections already there from others stay."""
    path = folder / CONFIG
    known = json.loads(path.read_text()) if path.exists() else {}
    write_atomic(path, to_json({**known, **sections}, indent=2) + "\n")


def write_metrics(folder: Path, history: list[dict]) -> None:
    """metrics.jsonl from the history: one JSON object a line."""
    write_atomic(folder / METRICS, "".join(to_json(row) + "\n" for row in history))


def save_weights(path: Path, model: nn.Module, **notes: object) -> None:
    """A model's state_dict as safetensors; `notes` go into the header as JSON."""
    tensors = {name: _owned(tensor) for name, tensor in model.state_dict().items()}
    header = {key: to_json(value) for key, value in notes.items()}
    write_atomic(path, save(tensors, header or None))


def load_weights(path: Path, model: nn.Module) -> dict:
    """Read weights written by `save_weights` into `model`; returns their notes.

    Raises:
        ValueError: The file is damaged, or its tensors are not this model's.
    """
    header, tensors = _read(path)
    _load_model(path, model, tensors)
    return {key: json.loads(value) for key, value in header.items()}


def save_checkpoint(
    path: Path, model: nn.Module, optimizer: Optimizer, state: RunState, facts: dict
) -> None:
    """Everything a resumption needs, in one file.

    Args:
        path: Where; replaced atomically.
        model: Its state_dict is stored under "model/".
        optimizer: Its state tensors are stored under "optimizer/<field>/<parameter name>".
        state: Stored in the header.
        facts: What must hold at resumption (config, data size, environment), in the header.
    """
    tensors = {f"model/{name}": _owned(value) for name, value in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"optimizer/{key}/{name}"] = _owned(value)
    write_atomic(path, save(tensors, {"state": to_json(asdict(state)), "facts": to_json(facts)}))


def load_checkpoint(path: Path, model: nn.Module, optimizer: Optimizer) -> tuple[RunState, dict]:
    """Put model and optimiser back to where `save_checkpoint` left them.

    Returns:
        The state and the facts stored with it.

    Raises:
        ValueError: The file is damaged, or was written for another model.
    """
    header, tensors = _read(path)
    if "state" not in header:
        raise ValueError(f"{path} holds weights but no training state: it is not a checkpoint.")
    weights = {name[6:]: value for name, value in tensors.items() if name.startswith("model/")}
    _load_model(path, model, weights)
    parameters = dict(model.named_parameters())
    optimizer.state.clear()
    for name, value in tensors.items():
        if name.startswith("optimizer/"):
            _, key, owner = name.split("/", 2)
            parameter = parameters[owner]
            optimizer.state[parameter][key] = value.to(parameter.device)
    return RunState(**json.loads(header["state"])), json.loads(header["facts"])


def compare_facts(then: dict, now: dict, folder: Path) -> None:
    """Refuse to continue a run of other facts; warn where only the last bits may differ.

    Args:
        then: Facts of the checkpoint: "config", "steps_per_epoch", "environment".
        now: The same of this process.
        folder: Named in the messages.

    Raises:
        ValueError: The configuration (except checkpoint_seconds) or the data size differs.
    """
    was = {**then["config"], "batches an epoch": then["steps_per_epoch"]}
    now_is = {**now["config"], "batches an epoch": now["steps_per_epoch"]}
    for key, value in now_is.items():
        if key != "checkpoint_seconds" and was.get(key) != value:
            raise ValueError(
                f"{key}: {value!r}, but the run in {str(folder)!r} has {was.get(key)!r}: resume "
                "with the same configuration and data, or start a new run in another folder."
            )
    for key, value in now["environment"].items():
        if then["environment"].get(key) != value:
            warnings.warn(
                f"resuming with {key}={value}, started with {then['environment'].get(key)}: "
                "the result is as good, but its last bits may differ.",
                stacklevel=2,
            )


def _owned(tensor: Tensor) -> Tensor:
    """A private CPU copy: tied weights may share memory in a model, but not in a file."""
    return tensor.detach().to("cpu", copy=True).contiguous()


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(
            f"{path} is not a safetensors file ({error}): restore it or retrain."
        ) from error


def _load_model(path: Path, model: nn.Module, tensors: dict[str, Tensor]) -> None:
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise ValueError(
            f"{path} was written for another model; build the model as for that run. {error}"
        ) from error
