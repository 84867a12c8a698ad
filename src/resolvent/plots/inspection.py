"""A model's layers, one after the other: a card of pictures and a few lines of numbers each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from resolvent.analysis import (
    eigenvalues,
    eigenvector_condition,
    memory_length,
)
from resolvent.layers import InvariantLayer
from resolvent.plots import figures
from resolvent.plots import panels as draw
from resolvent.plots.style import HEIGHT, WIDTH, styled
from resolvent.structure import Diagonal, Scalar, Structure
from resolvent.system import Invariant, Sampled

FRACTION = 0.99


class Picture(NamedTuple):
    """One entry of a report.

    Attributes:
        title: where the layer sits in the model, and what it is.
        figure: the picture.
        text: what it shows, in a few lines.
    """

    title: str
    figure: Figure
    text: str


def inspect_model(model: nn.Module) -> list[Picture]:
    """Pictures and numbers of every time-invariant layer in a model.

    A layer gives a card: eigenvalues, step sizes, impulse responses, memory, transfer functions.
    One whose matrix is not diagonal adds the pseudospectrum of its first head. Layers whose system
    depends on the input have no fixed spectrum and are left out.
    """
    return [picture for name, layer in _layers(model) for picture in _inspect(name, layer)]


def _layers(model: nn.Module) -> Iterator[tuple[str, InvariantLayer]]:
    for name, module in model.named_modules():
        if isinstance(module, InvariantLayer):
            kind = type(module).__name__
            yield (f"{name} ({kind})" if name else kind), module


@torch.no_grad()
def _inspect(title: str, layer: InvariantLayer) -> Iterator[Picture]:
    system = figures.invariant_of(layer)
    lengths = memory_length(system, FRACTION)
    matrix = continuous_matrix(system)
    yield Picture(title, _card(system, lengths), _summary(layer, system, lengths))
    if matrix is not None and not isinstance(matrix, Diagonal | Scalar):
        text = (
            "An eigenvalue can be moved anywhere inside a contour by a perturbation of the size\n"
            "written on it: where contours reach far, the eigenvalues mean little."
        )
        picture = figures.pseudospectrum(figures.head_of(matrix, 0))
        yield Picture(f"{title}: matrix of the first head", picture, text)


def _summary(layer: InvariantLayer, system: Invariant, lengths: Tensor) -> str:
    """A layer in numbers, a line each: sizes, step sizes, decay, memory, eigenvectors."""
    _, states, _ = system.state_shape(1)
    real = states * (2 if system.A.dtype.is_complex else 1)
    shared = "in all" if system.mimo else "a feature"
    moduli = eigenvalues(system.A).abs().flatten()
    radius = float(moduli.max())
    decay = -1 / moduli[(moduli > 0) & (moduli < 1)].log()
    lines = [
        ("features", f"{layer.d_model}, {real} real states {shared}"),
        ("decay by 1/e", f"{span(decay)} steps" if len(decay) else "none of the modes decays"),
        (f"memory ({100 * FRACTION:g} %)", f"{span(lengths)} steps"),
        ("largest |eigenvalue|", f"{radius:.8f}" + ("" if radius < 1 else ", does not decay")),
    ]
    if isinstance(system.transition, Sampled):
        A, dt = system.transition.continuous.A, system.transition.dt
        diagonal = isinstance(A, Diagonal | Scalar)
        condition = "1 (diagonal)" if diagonal else span(eigenvector_condition(A))
        lines.insert(1, ("step size", span(dt)))
        lines.append(("eigenvector condition", condition))
    return "\n".join(f"{name:<22}{value}" for name, value in lines)


def continuous_matrix(system: Invariant) -> Structure | None:
    """The matrix before discretisation; a system born discrete has none."""
    known = isinstance(system.transition, Sampled)
    return system.transition.continuous.A if known else None  # type: ignore[union-attr]


def span(values: Tensor) -> str:
    """Least, median and largest value."""
    values = values.flatten()
    if bool((values == values[0]).all()):
        return _number(float(values[0]))
    low, high = float(values.min()), float(values.max())
    middle = float(values.sort().values[len(values) // 2])
    return f"{_number(low)} to {_number(high)}, median {_number(middle)}"


def _number(x: float) -> str:
    if not math.isfinite(x):
        return "∞" if x > 0 else str(x)
    return f"{x:,.0f}" if 100 <= abs(x) < 1e9 else f"{x:.3g}"


@styled
def _card(system: Invariant, lengths: Tensor) -> Figure:
    """All panels of one layer."""
    figure = Figure(figsize=(3 * WIDTH, 3 * HEIGHT), layout="constrained")
    grid = figure.add_gridspec(3, 6)

    def row(index: int, count: int) -> list[Axes]:
        spans = [slice(6 * k // count, 6 * (k + 1) // count) for k in range(count)]
        return [figure.add_subplot(grid[index, span]) for span in spans]

    transition = system.transition
    if isinstance(transition, Sampled):
        several = not bool((transition.dt == transition.dt.flatten()[0]).all())
        top = row(0, 3 if several else 2)
        draw.left_half_plane(top[0], transition.continuous.A)
        if several:
            draw.step_sizes(top[1], transition.dt)
    else:
        top = row(0, 1)
    draw.unit_disc(top[-1], system.A)
    chosen = figures.typical(lengths)
    for axes, feature in zip(row(1, len(chosen)), chosen, strict=True):
        figures.draw_channel(axes, system, feature)
    left, right = row(2, 2)
    draw.memories(left, lengths, FRACTION)
    finite = lengths[torch.isfinite(lengths) & (lengths > 0)]
    slowest = float(finite.max()) if finite.numel() else 1e3
    omega = torch.logspace(math.log10(0.1 / slowest), math.log10(math.pi), 400, dtype=torch.float64)
    draw.bode(right, {f"feature {i}": figures.channel(system, i) for i in chosen}, omega)
    right.set_xlabel("angular frequency ω in radians a step")
    return figure
