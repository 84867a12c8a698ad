"""From a config to a freshly initialised model."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from resolvent import layers
from resolvent.block import Block
from resolvent.layers import Bidirectional, WholeMixer
from resolvent.model.backbone import Backbone
from resolvent.model.config import ModelConfig
from resolvent.model.sequence import SequenceModel


def build_model(config: ModelConfig, d_input: int, n_outputs: int | None) -> SequenceModel:
    """A freshly initialised model, from torch's random generator.

    Args:
        config: what it is made of.
        d_input: number of input channels.
        n_outputs: number of classes, or of regression targets; None for one target, see
            :class:`SequenceModel`.

    Raises:
        ValueError: a name is unknown or a number out of range; the message lists what is known.
    """
    if config.n_layers < 1:
        raise ValueError(f"n_layers: must be a positive integer, got {config.n_layers!r}")
    blocks = [
        Block(_make_layer(config), config.mix, config.norm, config.prenorm, config.dropout)
        for _ in range(config.n_layers)
    ]
    backbone = Backbone(d_input, blocks, config.norm if config.prenorm else "none")
    model = SequenceModel(backbone, n_outputs, config.pool)
    model.config = config
    return model


def find_layer(name: str) -> type[WholeMixer]:
    """The layer class called ``name``.

    Raises:
        ValueError: there is none; the message lists the known names.
    """
    if name not in layers.ALL:
        raise ValueError(f"layer: {name!r} is unknown; choose one of {', '.join(layers.ALL)}")
    return layers.ALL[name]


def make_layer(name: str, d_model: int, options: Mapping[str, Any]) -> WholeMixer:
    """The layer ``name`` with its own options.

    Raises:
        ValueError: the layer or an option is unknown; the message lists what is known.
    """
    make = find_layer(name)
    known = [name for name in inspect.signature(make).parameters if name != "d_model"]
    unknown = [name for name in options if name not in known]
    if unknown:
        raise ValueError(
            f"layer_options: {name} does not take {', '.join(unknown)}; it takes {', '.join(known)}"
        )
    return make(d_model, **options)


def _make_layer(config: ModelConfig) -> WholeMixer:
    def make() -> WholeMixer:
        return make_layer(config.layer, config.d_model, config.layer_options)

    return Bidirectional(make(), make()) if config.bidirectional else make()
