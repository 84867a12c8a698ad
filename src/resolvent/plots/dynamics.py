"""Layers whose system depends on the input, on one input: their eigenvalues over time, and the
attention matrix that they imply.

Attention, selective state-space models and linearised RNNs are all h_t = A_t h_{t-1} + B_t u_t and
y_t = C_t h_t here (Sieber et al. 2024, the Dynamical Systems Framework), and are drawn alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from resolvent.analysis import eigenvalues, implied_attention, in_double
from resolvent.layers import Layer, NonlinearLayer
from resolvent.plots import panels as draw
from resolvent.plots.inspection import Picture, span
from resolvent.plots.style import panels, styled
from resolvent.system import Given, Varying

STEPS = 64
"""Steps that are shown."""

CHANNELS = 16
"""Inputs and outputs of a dense system whose influence on each other is measured."""


@torch.no_grad()
def inspect_dynamics(model: nn.Module, x: Tensor) -> list[Picture]:
    """One picture a layer whose system varies: |eigenvalues| over time, and implied attention.

    Args:
        model: whatever takes x, in evaluation mode.
        x: one input of the model, with a batch axis; its first ``STEPS`` steps are shown.
    """
    pictures = []
    for name, layer, u in _inputs(model, x[:1, :STEPS]):
        system = in_double(layer.system(u))
        if isinstance(system, Varying):
            title = f"{name} ({type(layer).__name__}) on an input".strip()
            pictures.append(_picture(title, system))
    return pictures


def _inputs(model: nn.Module, x: Tensor) -> Iterator[tuple[str, Any, Tensor]]:
    """Every layer that has a system, with what it reads while the model reads x."""
    seen: dict[str, Tensor] = {}
    modules = model.named_modules()
    layers = {name: m for name, m in modules if isinstance(m, Layer | NonlinearLayer)}

    def keep(name: str) -> Callable:
        return lambda _, given: seen.update({name: given[0]})

    hooks = [layer.register_forward_pre_hook(keep(name)) for name, layer in layers.items()]
    try:
        model(x)
    finally:
        for hook in hooks:
            hook.remove()
    return ((name, layers[name], u) for name, u in seen.items())


def attention_of(system: Varying) -> Tensor:
    """Size of what every input (second axis) adds to every output (first axis): (l, l).

    The mean over heads (and writes) of |M|; of a dense system the root mean square over the first
    ``CHANNELS`` inputs and outputs.
    """
    if not system.mimo:
        return implied_attention(system)[0].abs().flatten(0, -3).mean(0)
    A, B = system.transition.pair
    few = replace(
        system,
        transition=Given((A, B[..., :CHANNELS])),
        output=system.C[..., :CHANNELS, :],
    )
    return implied_attention(few)[0].square().mean((0, 1, 2)).sqrt()


def _picture(title: str, system: Varying) -> Picture:
    values, attention = eigenvalues(system.A)[0].flatten(1), attention_of(system)
    steps = torch.arange(len(attention), dtype=torch.float64)
    ages = (steps[:, None] - steps) * attention
    reach = ages.sum(1) / attention.sum(1).clamp(min=1e-300)
    lines = [
        ("|eigenvalue|", span(values.abs())),
        ("negative real part", f"{100 * float((values.real < 0).double().mean()):.0f} %"),
        ("mean age attended", f"{float(reach[-1]):.3g} of {len(steps)} steps, at the last one"),
    ]
    text = "\n".join(f"{name:<22}{value}" for name, value in lines)
    return Picture(title, _figure(values, attention), text)


@styled
def _figure(values: Tensor, attention: Tensor) -> Figure:
    figure, (left, right) = panels(1, 2)
    draw.over_time(left, values)
    draw.attention(right, attention)
    return figure
