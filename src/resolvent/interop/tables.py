"""What the published layouts share: the table of a Mamba block, and checks of settings."""

from __future__ import annotations

from collections.abc import Mapping

from resolvent.interop.layout import Config, Rename

PROJECTIONS = ("in_proj.weight", "in_proj.bias", "out_proj.weight", "out_proj.bias")
MIXERS: dict[str, tuple[str | tuple[str, str], ...]] = {
    "Mamba": (
        *PROJECTIONS,
        "x_proj.weight",
        "dt_proj.weight",
        ("dt_bias", "dt_proj.bias"),
        "A_log",
        "D",
    ),
    "Mamba2": (*PROJECTIONS, "dt_bias", "A_log", "D", "norm.weight"),
}
"""Parameters of a layer, by the name that is the same here and there, or (here, there)."""


def table(kind: str, embedding: str) -> tuple[Rename, ...]:
    """The names of a model of equal blocks whose embedding is called ``embedding``."""
    block = "backbone.layers.{i}."
    pairs = [(x, x) if isinstance(x, str) else x for x in MIXERS[kind]]
    return (
        Rename("embedding.weight", f"backbone.{embedding}.weight"),
        Rename("blocks.{i}.norm.weight", f"{block}norm.weight"),
        Rename("blocks.{i}.layer.conv.weight", f"{block}mixer.conv1d.weight", axis=1),
        Rename("blocks.{i}.layer.conv.bias", f"{block}mixer.conv1d.bias"),
        *(Rename(f"blocks.{{i}}.layer.{ours}", f"{block}mixer.{theirs}") for ours, theirs in pairs),
        Rename("norm.weight", "backbone.norm_f.weight"),
        Rename("head.weight", "lm_head.weight"),
    )


def understand(config: Config, known: Mapping[str, tuple | None]) -> None:
    """Refuse entries that are unknown, or whose value is none of those that are understood.

    Args:
        config: settings.
        known: understood values of each; None where nothing depends on it.

    Raises:
        ValueError: the entry is named.
    """
    for name, value in config.items():
        if name not in known:
            raise ValueError(f"config: {name} = {value!r} is not understood, so nothing was loaded")
        allowed = known[name]
        if allowed is not None and value not in allowed:
            raise ValueError(f"config: {name} is {value!r}, only {allowed[0]!r} is understood")


def nothing_left(options: Config) -> None:
    """Refuse layer options that a layout has no word for, other than their defaults.

    Raises:
        ValueError: the options are named.
    """
    harmless = {"eigenvalue_range": (0, 1), "norm_eps": None}
    if left := {k: v for k, v in options.items() if v != harmless.get(k, ...)}:
        raise ValueError(f"layout: cannot express {left}; save the model as 'resolvent'")


def default_head(inner: int) -> int:
    """Channels a head where none are given, as :class:`resolvent.layers.Mamba2` chooses them."""
    return max(p for p in range(1, 65) if inner % p == 0)
