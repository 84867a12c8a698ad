"""A model as a value: what it is made of, in a form that a file can hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self


class Described:
    """A frozen dataclass that a JSON file can hold."""

    def to_dict(self) -> dict[str, Any]:
        """The fields by name, ready for JSON.

        Raises:
            TypeError: a layer option is an object that JSON cannot hold.
        """
        for name, value in _options(self):
            try:
                json.dumps(value)
            except TypeError:
                raise TypeError(
                    f"layer_options[{name!r}]: {type(value).__name__} cannot be written to a file; "
                    "use a name or numbers, or build the model by hand"
                ) from None
        return asdict(self)  # type: ignore[call-overload]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Inverse of :meth:`to_dict`; missing fields take their defaults.

        Raises:
            ValueError: a name is unknown.
        """
        known = [f.name for f in fields(cls)]  # type: ignore[arg-type]
        unknown = [name for name in values if name not in known]
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: unknown; the fields are {', '.join(known)}")
        return cls(**values)


@dataclass(frozen=True)
class ModelConfig(Described):
    """A stack of equal blocks, and how it predicts.

    Attributes:
        layer: name of a layer in :data:`resolvent.layers.ALL`.
        layer_options: the layer's own arguments by name (d_state, init, ...); numbers, strings,
            booleans or sequences of these.
        d_model: features.
        n_layers: blocks.
        bidirectional: a second layer a block that reads from right to left; no streaming then.
        mix: nonlinearity and gate, one of :data:`resolvent.block.MIXES`.
        norm: one of :data:`resolvent.block.NORMS`.
        prenorm: norm before the layer, and once after the last block; else after each block.
        dropout: probability, one mask a row and feature for all steps.
        pool: features that the prediction is made from, one of :data:`resolvent.model.pool.POOLS`.
    """

    layer: str = "S5"
    layer_options: Mapping[str, Any] = field(default_factory=dict)
    d_model: int = 64
    n_layers: int = 4
    bidirectional: bool = False
    mix: str = "half_glu1"
    norm: str = "layer"
    prenorm: bool = True
    dropout: float = 0.0
    pool: str = "mean"

    def __post_init__(self) -> None:
        object.__setattr__(self, "layer_options", as_tuples(self.layer_options))


def as_tuples(value: Any) -> Any:
    """Lists, as JSON gives them, to tuples, as layers take them; within mappings too."""
    if isinstance(value, Mapping):
        return {name: as_tuples(v) for name, v in value.items()}
    return tuple(as_tuples(v) for v in value) if isinstance(value, (list, tuple)) else value


def _options(config: Any) -> list[tuple[str, Any]]:
    """Every option of every layer of a config, with its name."""
    found = []
    for name, value in config.layer_options.items():
        found += value.items() if isinstance(value, Mapping) else [(name, value)]
    return found
