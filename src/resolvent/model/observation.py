"""What a language model's layers do on given tokens: how fast they forget, how large they grow.

A selective layer has no spectrum of its own: its eigenvalues and step sizes come with the tokens.
A state that keeps growing beyond the length a model was trained at is what users meet as
degradation (state collapse: Chen et al. 2024, "Stuffed Mamba").
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from resolvent.analysis import TokenDynamics, token_dynamics
from resolvent.layers import Layer, Mamba
from resolvent.model.language import LanguageModel
from resolvent.structure import Diagonal, Scalar
from resolvent.system import Discrete, Sampled

STEPS = 256
"""Tokens on which systems are looked at."""


class Selection(NamedTuple):
    """The systems of a layer on some tokens.

    Attributes:
        moduli: |eigenvalues| of the transition, of every step, head and state (k,).
        dt: step sizes of every step and head (k,), or None if the system is born discrete.
        memory: steps until a state has forgotten all but 1/e, of each head and state on average
            over the tokens (m, n).
        tokens: whether tokens converge or diverge; None where the layer has no maps that say so.
    """

    moduli: Tensor
    dt: Tensor | None
    memory: Tensor
    tokens: TokenDynamics | None


class Observation(NamedTuple):
    """One block of a model on some tokens.

    Attributes:
        name: its number, and its layer.
        selection: the layer's systems; None where it has none, or none that is diagonal.
        norms: root mean square of the state after each of the observed lengths.
    """

    name: str
    selection: Selection | None
    norms: list[float]


@torch.no_grad()
def observe(model: LanguageModel, tokens: Tensor, lengths: list[int]) -> list[Observation]:
    """Every block of a model on one text.

    Args:
        model: in evaluation mode.
        tokens: (l,).
        lengths: increasing numbers of tokens, up to l, after which states are measured.

    Raises:
        ValueError: the lengths do not increase from at least 1 to at most l.
    """
    if (
        not lengths
        or lengths != sorted({*lengths})
        or not 1 <= lengths[0] <= lengths[-1] <= len(tokens)
    ):
        raise ValueError(
            f"lengths: expected increasing numbers from 1 to {len(tokens)}, got {lengths}"
        )
    inputs = _inputs(model, tokens[None, :STEPS])
    norms: list[list[float]] = [[] for _ in model.blocks]
    state, start = None, 0
    for stop in lengths:
        for part in tokens[start:stop].split(2048):
            _, state = model.features(part[None], state)
        start = stop
        for own, h in zip(norms, state or (), strict=True):
            own.append(_size(h))
    return [
        Observation(f"{i} ({type(block.layer).__name__})", _selection(block.layer, x), own)
        for i, (block, x, own) in enumerate(zip(model.blocks, inputs, norms, strict=True))
    ]


def _inputs(model: LanguageModel, tokens: Tensor) -> list[Tensor]:
    """What each block's layer is given (1, l, d_model)."""
    found: list[Tensor] = []
    handles = [
        block.layer.register_forward_pre_hook(lambda _, args: found.append(args[0]))
        for block in model.blocks
    ]
    try:
        model.features(tokens)
    finally:
        for handle in handles:
            handle.remove()
    return found


def _selection(layer: Any, u: Tensor) -> Selection | None:
    if not isinstance(layer, Layer):
        return None
    system: Discrete = layer.system(u)
    A = system.A
    if isinstance(A, Diagonal):
        moduli = A.values.abs()
    elif isinstance(A, Scalar):
        moduli = A.value.abs()[..., None]
    else:
        return None
    rate = -moduli.double().clamp(min=1e-300).log()
    mean = rate.mean((0, 1)) if rate.ndim == 4 else rate
    dt = system.transition.dt if isinstance(system.transition, Sampled) else None
    tokens = token_dynamics(*layer.selection_maps()) if isinstance(layer, Mamba) else None
    return Selection(moduli.flatten(), None if dt is None else dt.flatten(), 1 / mean, tokens)


def _size(state: Any) -> float:
    """Root mean square of a state, of what it has grown to."""
    values = [x.double().flatten() for x in tree_leaves(state[:1]) if x.numel()]
    return float(torch.cat(values).square().mean().sqrt()) if values else 0.0
