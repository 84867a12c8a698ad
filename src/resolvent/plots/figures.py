"""The pictures, one function each; all take a layer or a system and return a matplotlib Figure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from resolvent import analysis
from resolvent.analysis import Pseudospectrum, in_double, memory_length
from resolvent.analysis.spectrum import Matrix
from resolvent.layers import InvariantLayer
from resolvent.plots import panels as draw
from resolvent.plots.style import panels, styled
from resolvent.structure import Structure
from resolvent.system import Continuous, Invariant, Sampled

Subject = InvariantLayer | Continuous | Invariant


@styled
def spectrum(subject: Subject) -> Figure:
    """Eigenvalues in the left half-plane and, where there is a step size, in the unit disc."""
    system = system_of(subject)
    if isinstance(system, Continuous):
        figure, (left,) = panels()
        draw.left_half_plane(left, system.A)
        return figure
    if not isinstance(system.transition, Sampled):
        figure, (right,) = panels()
        draw.unit_disc(right, system.A)
        return figure
    figure, (left, right) = panels(1, 2)
    draw.left_half_plane(left, system.transition.continuous.A)
    draw.unit_disc(right, system.A)
    return figure


@styled
def impulse_responses(
    subject: InvariantLayer | Invariant, features: Sequence[int] | None = None
) -> Figure:
    """Kernels of a few features (the response to an impulse, without the skip), over their memory.

    Args:
        subject: layer or discrete system.
        features: which; those of shortest, median and longest memory by default. Of a system with
            dense B and C, the response of feature i to feature i.
    """
    system = invariant_of(subject)
    chosen = typical(memory_length(system)) if features is None else list(features)
    figure, axes = panels(1, len(chosen))
    for ax, feature in zip(axes, chosen, strict=True):
        draw_channel(ax, system, feature)
    return figure


@styled
def memory(subject: InvariantLayer | Invariant, fraction: float = 0.99) -> Figure:
    """Histogram over features of `analysis.memory_length`, in steps."""
    figure, (axes,) = panels(width=6)
    draw.memories(axes, memory_length(invariant_of(subject), fraction), fraction)
    return figure


@styled
def pseudospectrum(subject: Matrix | Pseudospectrum, title: str = "Pseudospectrum") -> Figure:
    """Level lines of the resolvent norm of one matrix, with its eigenvalues.

    Args:
        subject: a matrix (n, n), a structure that holds one, or what `analysis.pseudospectrum`
            returned.
        title: of the picture.
    """
    portrait = subject if isinstance(subject, Pseudospectrum) else analysis.pseudospectrum(subject)
    figure, (axes,) = panels(width=6)
    draw.resolvent_levels(axes, portrait)
    axes.set_title(title)
    return figure


@styled
def transfer(
    systems: Mapping[str, Continuous | Invariant],
    omega: Tensor,
    head: int = 0,
    title: str = "Transfer function",
) -> Figure:
    """Gain of several systems over frequency, on logarithmic axes.

    Args:
        systems: label and system of every curve; dense B and C are not drawn.
        omega: positive angular frequencies (f,): per unit of time for continuous systems, radians
            a step for discrete ones.
        head: the head drawn.
        title: of the picture.

    Raises:
        ValueError: a system has dense B and C.
    """
    for label, system in systems.items():
        if system.mimo:
            raise ValueError(f"systems: {label!r} has dense B and C; pick one input and output")
    figure, (axes,) = panels(width=6)
    draw.bode(axes, systems, omega.double(), head)
    axes.set_title(title)
    return figure


@styled
def curves(
    x: ArrayLike,
    lines: Mapping[str, ArrayLike],
    labels: tuple[str, str],
    title: str = "",
    logarithmic: str = "",
) -> Figure:
    """Any quantities over a common abscissa, in the style of the other pictures.

    Args:
        x: (l,) abscissa.
        lines: label and ordinates (l,) of every curve.
        labels: names, with units, of the two axes.
        title: of the picture.
        logarithmic: the axes that are logarithmic: "", "x", "y" or "xy".
    """
    figure, (axes,) = panels(width=6)
    for label, y in lines.items():
        axes.plot(np.asarray(x), np.asarray(y), label=label)
    if "x" in logarithmic:
        axes.set_xscale("log")
    if "y" in logarithmic:
        axes.set_yscale("log")
    axes.set(xlabel=labels[0], ylabel=labels[1])
    axes.set_title(title)
    axes.margins(x=0)
    axes.legend()
    return figure


@styled
def timescales(subject: InvariantLayer | Invariant) -> Figure:
    """Histogram of step sizes dt.

    Raises:
        ValueError: the system is born discrete and has no step size.
    """
    system = invariant_of(subject)
    if not isinstance(system.transition, Sampled):
        raise ValueError("subject: a system born discrete has no step size")
    figure, (axes,) = panels(width=5)
    draw.step_sizes(axes, system.transition.dt)
    return figure


def system_of(subject: Subject) -> Continuous | Invariant:
    """The system of a layer, or the system itself, in float64.

    Raises:
        TypeError: the subject has no system that is the same at every step.
    """
    system = subject.system() if isinstance(subject, InvariantLayer) else subject
    if not isinstance(system, Continuous | Invariant):
        raise TypeError(
            f"subject: expected a time-invariant layer or system, got {type(subject).__name__}"
        )
    return in_double(system)


def invariant_of(subject: InvariantLayer | Invariant) -> Invariant:
    """As `system_of`, for what needs a discrete system."""
    system = system_of(subject)
    if not isinstance(system, Invariant):
        raise TypeError("subject: expected a discrete system; discretize the continuous one first")
    return system


def channel(system: Invariant, feature: int) -> Invariant:
    """The system with one head that takes feature i to feature i, without the skip."""
    head, i = divmod(feature, system.D.shape[1])
    B, C = (
        (system.B[head, :, i], system.C[head, i])
        if system.mimo
        else (system.B[head], system.C[head])
    )
    A = head_of(system.A, head).map(lambda x: x[None])
    return Invariant.of(A, B[None], C[None], torch.zeros_like(system.D[:1, :1]))


def draw_channel(axes: Axes, system: Invariant, feature: int) -> None:
    """The kernel of one feature, as long as its memory and a little more."""
    one = channel(system, feature)
    length = float(memory_length(one)[0])
    known = math.isfinite(length)
    horizon = int(min(max(1.25 * length, 16), draw.LONGEST)) if known else 1024
    name = f"Feature {feature} to {feature}" if system.mimo else f"Feature {feature}"
    memory = f"memory {length:,.0f} steps" if known else "memory without end"
    draw.impulse(axes, one, horizon, f"{name}, {memory}")


def head_of(A: Structure, head: int) -> Structure:
    """The matrix of one head; a matrix shared by all heads is everybody's."""
    return A.map(lambda x: x[head if len(x) > 1 else 0])


def typical(lengths: Tensor) -> list[int]:
    """Features of shortest, median and longest memory; fewer if there are fewer."""
    order = lengths.flatten().argsort().tolist()
    return list(dict.fromkeys((order[0], order[len(order) // 2], order[-1])))
