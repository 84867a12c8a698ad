"""A model in numbers: parameters, and what a stream has to keep."""

from __future__ import annotations

from typing import NamedTuple

from torch.utils._pytree import tree_leaves

from resolvent.model import SequenceModel


class ModelFacts(NamedTuple):
    """What the report says of a model.

    Attributes:
        parameters: How many numbers were learned.
        by_part: (part, parameters) of the model's parts.
        state_bytes: Memory of one stream, whatever its length; None for a bidirectional model.
    """

    parameters: int
    by_part: list[tuple[str, int]]
    state_bytes: int | None


def describe_model(model: SequenceModel) -> ModelFacts:
    """Count."""

    def count(module) -> int:
        return sum(p.numel() for p in module.parameters())

    backbone = model.backbone
    by_part = [("input projection", count(backbone.encoder))]
    by_part += [(f"block {i}", count(block)) for i, block in enumerate(backbone.blocks, 1)]
    by_part += [("final norm", count(backbone.norm)), ("head", count(model.head))]
    state = tree_leaves(model.initial_state(1)) if model.causal else None
    kept = None if state is None else sum(x.numel() * x.element_size() for x in state)
    return ModelFacts(count(model), [(k, n) for k, n in by_part if n], kept)
