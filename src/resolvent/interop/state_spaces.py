"""The layouts of state-spaces/mamba-* and state-spaces/mamba2-* (github.com/state-spaces/mamba)."""

from __future__ import annotations

from functools import partial
from typing import Any

from resolvent.interop.layout import Config, Layout
from resolvent.interop.tables import default_head, nothing_left, table, understand

SSM_NAMES = {
    "Mamba": {"d_state": "d_state", "d_conv": "d_conv", "expand": "expand", "dt_rank": "dt_rank"},
    "Mamba2": {
        "d_state": "d_state",
        "d_conv": "d_conv",
        "expand": "expand",
        "headdim": "head_dim",
        "ngroups": "n_groups",
        "dt_limit": "dt_limit",
    },
}
"""Names of the options in ssm_cfg, and here."""

SSM_FIXED = {
    "layer": ("Mamba1", "Mamba2"),
    "bias": (False,),
    "conv_bias": (True,),
    "norm_before_gate": (False,),
    "rmsnorm": (True,),
    "D_has_hdim": (False,),
    "d_ssm": (None,),
    "chunk_size": None,
    "use_mem_eff_path": None,
    "use_fast_path": None,
}
"""Other entries of ssm_cfg: the values that are understood, or None where nothing depends on it."""

STATE_SPACES = {
    "rms_norm": (True,),
    "d_intermediate": (0,),
    "attn_layer_idx": ([],),
    "attn_cfg": ({},),
    "residual_in_fp32": None,
    "fused_add_norm": None,
}
"""The same for the other entries of such a config.json."""


def _from_state_spaces(kind: str, config: Config) -> dict[str, Any]:
    ssm = dict(config.get("ssm_cfg", {}))
    names = SSM_NAMES[kind]
    options = {ours: ssm.pop(theirs) for theirs, ours in names.items() if theirs in ssm}
    if options.get("dt_rank") == "auto":
        del options["dt_rank"]
    if kind == "Mamba2":
        options = {"head_dim": 64, **options}
    understand(ssm, SSM_FIXED)
    own = {"d_model", "n_layer", "vocab_size", "ssm_cfg", "pad_vocab_size_multiple"}
    rest = {k: v for k, v in config.items() if k not in {*own, "tie_embeddings"}}
    understand(rest, STATE_SPACES)
    return dict(
        layers=(kind,),
        layer_options={kind: options},
        vocab_size=config["vocab_size"],
        d_model=config["d_model"],
        n_layers=config["n_layer"],
        norm_eps=1e-5,
        tied=config.get("tie_embeddings", True),
        pad_vocab_to=config.get("pad_vocab_size_multiple", 8),
    )


def _to_state_spaces(kind: str, fields: Config) -> dict[str, Any]:
    options = dict(fields["layer_options"].get(kind, {}))
    if options.pop("bias", "conv") != "conv" or fields["norm_eps"] != 1e-5:
        raise ValueError("layout: state-spaces has biases in the convolution alone, and eps 1e-5")
    if kind == "Mamba2" and not options.get("head_dim"):
        options["head_dim"] = default_head(int(options.get("expand", 2) * fields["d_model"]))
    back = {ours: theirs for theirs, ours in SSM_NAMES[kind].items()}
    given = {name: options.pop(name) for name in list(options) if name in back}
    nothing_left(options)
    ssm = {back[name]: value for name, value in given.items() if value is not None}
    return {
        "d_model": fields["d_model"],
        "n_layer": fields["n_layers"],
        "vocab_size": fields["vocab_size"],
        "ssm_cfg": {"layer": "Mamba2", **ssm} if kind == "Mamba2" else ssm,
        "rms_norm": True,
        "residual_in_fp32": True,
        "fused_add_norm": True,
        "pad_vocab_size_multiple": fields["pad_vocab_to"],
        "tie_embeddings": fields["tied"],
    }


def make_layout(kind: str) -> Layout:
    """The layout of one kind of layer."""

    def recognises(config: Config) -> bool:
        layer = config.get("ssm_cfg", {}).get("layer", "Mamba1")
        own = "n_layer" in config and "model_type" not in config
        return own and (layer == "Mamba2") == (kind == "Mamba2")

    return Layout(
        f"state-spaces-{kind.lower()}",
        kind,
        recognises,
        partial(_from_state_spaces, kind),
        partial(_to_state_spaces, kind),
        table(kind, "embedding"),
    )


LAYOUTS = tuple(make_layout(x) for x in SSM_NAMES)
"""One for each kind of layer."""
