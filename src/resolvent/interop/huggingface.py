"""The layouts of transformers' Mamba, Mamba-2 and FalconMamba (huggingface.co/docs)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

from resolvent.interop.layout import Config, Layout
from resolvent.interop.tables import default_head, nothing_left, table, understand

ARCHITECTURES = {
    "mamba": "MambaForCausalLM",
    "mamba2": "Mamba2ForCausalLM",
    "falcon_mamba": "FalconMambaForCausalLM",
}

BIASES = {
    (False, False): "none",
    (False, True): "conv",
    (True, False): "projections",
    (True, True): "all",
}
"""(use_bias, use_conv_bias) in this library's words."""


def _from_transformers(kind: str, config: Config) -> dict[str, Any]:
    """Fields of a transformers config, whose absent entries have that library's defaults."""
    width, expand = config["hidden_size"], config.get("expand", 2)
    fixed: dict[str, Any] = {"hidden_act": "silu", "intermediate_size": int(expand * width)}
    options: dict[str, Any] = {
        "d_state": config.get("state_size", 128 if kind == "Mamba2" else 16),
        "expand": expand,
        "d_conv": config.get("conv_kernel", 4),
        "bias": BIASES[config.get("use_bias", False), config.get("use_conv_bias", True)],
    }
    if kind == "Mamba2":
        options |= {
            "head_dim": config.get("head_dim", 64),
            "n_groups": config.get("n_groups", 8),
            "dt_limit": tuple(_number(x) for x in config.get("time_step_limit", (0.0, math.inf))),
        }
        fixed["num_heads"] = int(expand * width) // options["head_dim"]
    else:
        rank = config.get("time_step_rank", "auto")
        options["dt_rank"] = None if rank == "auto" else rank
    if config["model_type"] == "falcon_mamba":
        options["norm_eps"] = config.get("mixer_rms_eps", 1e-6)
    understand({k: config[k] for k in fixed if k in config}, {k: (v,) for k, v in fixed.items()})
    return dict(
        layers=(kind,),
        layer_options={kind: options},
        vocab_size=config["vocab_size"],
        d_model=width,
        n_layers=config["num_hidden_layers"],
        norm_eps=config.get("layer_norm_epsilon", 1e-5),
        tied=config.get("tie_word_embeddings", kind == "Mamba"),
        pad_vocab_to=1,
    )


def _to_transformers(kind: str, model_type: str, fields: Config) -> dict[str, Any]:
    options = dict(fields["layer_options"].get(kind, {}))
    expand, width = options.pop("expand", 2), fields["d_model"]
    inner = int(expand * width)
    bias = options.pop("bias", "conv")
    projections, conv = next(k for k, words in BIASES.items() if words == bias)
    norm_eps = options.pop("norm_eps", None)
    if (norm_eps is None) == (model_type == "falcon_mamba"):
        wanted = "transformers-falcon-mamba" if norm_eps else "transformers-mamba"
        raise ValueError(f"layout: a model with norm_eps={norm_eps} is written as {wanted!r}")
    config = {
        "model_type": model_type,
        "architectures": [ARCHITECTURES[model_type]],
        "vocab_size": _rows(fields),
        "hidden_size": width,
        "num_hidden_layers": fields["n_layers"],
        "state_size": options.pop("d_state", 128 if kind == "Mamba2" else 16),
        "expand": expand,
        "conv_kernel": options.pop("d_conv", 4),
        "use_bias": projections,
        "use_conv_bias": conv,
        "hidden_act": "silu",
        "layer_norm_epsilon": fields["norm_eps"],
        "tie_word_embeddings": fields["tied"],
    }
    if kind == "Mamba2":
        head_dim = options.pop("head_dim", None) or default_head(inner)
        low, high = options.pop("dt_limit", (0.0, math.inf))
        config |= {"head_dim": head_dim, "num_heads": inner // head_dim}
        config |= {"n_groups": options.pop("n_groups", 1), "time_step_limit": [low, high]}
    else:
        rank = options.pop("dt_rank", None) or math.ceil(width / 16)
        config |= {"time_step_rank": rank, "intermediate_size": inner}
    if norm_eps is not None:
        config["mixer_rms_eps"] = norm_eps
    nothing_left(options)
    return config


def _number(value: Any) -> float:
    """A number of a JSON file; newer files write infinities as {"__float__": "Infinity"}."""
    return float(value["__float__"]) if isinstance(value, Mapping) else float(value)


def _rows(fields: Config) -> int:
    multiple = fields["pad_vocab_to"]
    return -(-fields["vocab_size"] // multiple) * multiple


def make_layout(model_type: str) -> Layout:
    """The layout of one model_type."""
    kind = "Mamba2" if model_type == "mamba2" else "Mamba"
    return Layout(
        f"transformers-{model_type.replace('_', '-')}",
        kind,
        lambda config: config.get("model_type") == model_type,
        partial(_from_transformers, kind),
        partial(_to_transformers, kind, model_type),
        table(kind, "embeddings"),
    )


LAYOUTS = tuple(make_layout(x) for x in ARCHITECTURES)
"""One for each model_type."""
