"""A language model in pictures: what its layers select, and how their states grow."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from resolvent.model import LanguageModel
from resolvent.model.observation import Observation, Selection, observe
from resolvent.plots import panels as draw
from resolvent.plots.dynamics import inspect_dynamics
from resolvent.plots.figures import curves
from resolvent.plots.inspection import Picture, inspect_model, span
from resolvent.plots.style import panels, styled

GROWTH = 2.0
"""Times its size at the training length from which on a state is said to keep growing."""


def inspect_language(
    model: LanguageModel, tokens: Tensor, trained_length: int | None = None
) -> list[Picture]:
    """Pictures and numbers of every layer that has a system, and of all states over a text.

    Args:
        model: in evaluation mode.
        tokens: a text (l,); longer than the training length, to see what happens beyond.
        trained_length: tokens that the model was trained on at once, if known.
    """
    lengths = sorted({*np.geomspace(1, len(tokens), 24).astype(int).tolist(), len(tokens)})
    seen = observe(model.eval(), tokens, lengths)
    pictures = [
        Picture(f"block {x.name}", _card(x.selection), _summary(x.selection))
        for x in seen
        if x.selection is not None
    ]
    pictures += inspect_dynamics(model, tokens[None])
    return [*inspect_model(model), *pictures, _growth(seen, lengths, trained_length)]


@styled
def _card(selection: Selection) -> Figure:
    drawn = [(draw.moduli, selection.moduli), (draw.time_constants, selection.memory)]
    if selection.dt is not None:
        drawn.append((draw.step_sizes, selection.dt))
    if selection.tokens is not None:
        drawn.append((draw.scenarios, selection.tokens.channels))
    figure, axes = panels(1, len(drawn))
    for ax, (show, values) in zip(axes, drawn, strict=True):
        show(ax, values)
    return figure


def _summary(selection: Selection) -> str:
    memory = selection.memory
    head, n = divmod(int(memory.argmax()), memory.shape[-1])
    lines = [
        ("|eigenvalue|", span(selection.moduli)),
        ("memory in tokens", span(memory)),
        ("longest", f"head {head}, state {n}: {float(memory.max()):,.0f} tokens"),
    ]
    if selection.dt is not None:
        lines.insert(1, ("step size", span(selection.dt)))
    if selection.tokens is not None:
        own, values = selection.tokens.channels, selection.tokens.eigenvalues
        lines += [
            ("tokens of the layer", "diverge" if selection.tokens.divergent else "converge to 0"),
            ("tokens of a channel", f"{100 * float((own > 0).double().mean()):.0f} % diverge"),
            ("largest eigenvalue", f"{float(values.max()):.3g} of the symmetric S_C^T S_B"),
        ]
    return "\n".join(f"{name:<22}{value}" for name, value in lines)


def _growth(seen: list[Observation], lengths: list[int], trained: int | None) -> Picture:
    """States over the text; beyond the training length they should stay what they were."""
    lines = {f"block {x.name}": np.maximum(x.norms, 1e-12) for x in seen if any(x.norms)}
    labels = ("tokens read", "root mean square of the state")
    figure = curves(lengths, lines, labels, title="Size of the states", logarithmic="xy")
    text = [f"after {lengths[-1]:,} tokens"]
    if trained is not None and trained < lengths[-1]:
        figure.axes[0].axvline(trained, color=draw.FAINT, label=f"trained at {trained:,} tokens")
        figure.axes[0].legend()
        at = int(torch.tensor(lengths).sub(trained).abs().argmin())
        grown = [x.name for x in seen if x.norms[-1] > GROWTH * max(x.norms[at], 1e-12)]
        text.append(
            f"more than {GROWTH:g} times their size at {trained:,} tokens: {', '.join(grown)}"
            if grown
            else f"no state is more than {GROWTH:g} times its size at {trained:,} tokens"
        )
    return Picture("states over the text", figure, "\n".join(text))
