"""What is drawn on one pair of axes. Figures are made of these in `figures` and `inspect`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.patches import Circle
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from torch import Tensor

from resolvent.analysis import Pseudospectrum, eigenvalues, kernel, transfer_function
from resolvent.plots.style import BLUE, FAINT, FORBIDDEN, INK, VERMILLION
from resolvent.structure import Structure
from resolvent.system import Continuous, Invariant

LONGEST = 1 << 16
"""Most steps of an impulse response that are drawn."""


def left_half_plane(axes: Axes, A: Structure) -> None:
    """Continuous eigenvalues of all heads; the half-plane of growth is shaded."""
    values = eigenvalues(A).flatten()
    real, imag = _array(values.real), _array(values.imag)
    width = max(np.ptp(real), 0.2 * np.abs(real).max())
    width = width if width > 1e-6 else 1.0  # eigenvalues on the axis itself
    left, right = real.min() - 0.15 * width, max(real.max(), 0) + 0.15 * width
    axes.axvspan(0, right, color=FORBIDDEN, zorder=0)
    axes.axvline(0, color=FAINT, linewidth=0.8)
    _scatter(axes, values)
    if np.median(np.abs(imag)) < 0.1 * np.abs(imag).max():  # a few fast modes dwarf the others
        axes.set_yscale("symlog", linthresh=10.0)
    axes.set(xlim=(left, right), xlabel="real part", ylabel="imaginary part")
    axes.set_title("Continuous eigenvalues")


def unit_disc(axes: Axes, A: Structure) -> None:
    """Discrete eigenvalues of all heads, in the unit disc."""
    values = eigenvalues(A).flatten()
    axes.add_patch(Circle((0, 0), 1, facecolor="none", edgecolor=INK, linewidth=0.8))
    _scatter(axes, values)
    edge = 1.05 * max(1.0, float(values.abs().max()))
    axes.set(xlim=(-edge, edge), ylim=(-edge, edge), xlabel="real part", ylabel="imaginary part")
    axes.set_aspect("equal", adjustable="box")
    axes.set_title("Discrete eigenvalues")


def over_time(axes: Axes, values: Tensor) -> None:
    """Eigenvalues of each step (l, n): moduli, and apart those that turn their state around."""
    steps = np.broadcast_to(np.arange(len(values))[:, None], values.shape)
    moduli, negative = _array(values.abs()), _array(values.real < 0)
    for chosen, colour, label in (
        (~negative, BLUE, "Re λ ≥ 0"),
        (negative, VERMILLION, "Re λ < 0"),
    ):
        if chosen.any():
            _points(axes, steps[chosen], moduli[chosen], size=4, color=colour, label=label)
    axes.set(xlabel="step", ylabel="modulus", ylim=(0, None))
    axes.set_title("Eigenvalues over time")
    if negative.any():  # beside the title: points are everywhere else
        legend = axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, markerscale=2)
        for mark in filter(None, legend.legend_handles):
            mark.set_alpha(1)


def attention(axes: Axes, matrix: Tensor) -> None:
    """Size of what every input step adds to every output step (l, l)."""
    axes.grid(False)
    axes.imshow(_array(matrix), cmap="Greys", interpolation="nearest")
    axes.set(xlabel="input step", ylabel="output step")
    axes.set_title("Implied attention")


def step_sizes(axes: Axes, dt: Tensor) -> None:
    """Histogram of step sizes."""
    _log_histogram(axes, _array(dt.flatten()), "step size dt; 1/dt steps are one unit of time")
    axes.set_title("Step sizes")


def moduli(axes: Axes, values: Tensor) -> None:
    """Histogram of |eigenvalues| by what they lack to 1, on a logarithmic axis."""
    lack = _array((1 - values.double()).clamp(min=1e-9))
    _log_histogram(axes, lack, "1 - |eigenvalue| a token")
    axes.set_title("Forgetting a token")


def time_constants(axes: Axes, steps: Tensor) -> None:
    """Histogram of the steps until all but 1/e is forgotten."""
    _log_histogram(axes, _array(steps.flatten().clamp(1e-3, 1e9)), "tokens to 1/e")
    axes.set_title("Memory")


def memories(axes: Axes, lengths: Tensor, fraction: float) -> None:
    """Histogram of memory lengths; those without end are counted in the title."""
    values = _array(lengths.flatten())
    finite = values[np.isfinite(values) & (values > 0)]
    title = f"Memory: steps to {100 * fraction:g} % of the kernel's energy"
    if len(finite) < len(values):
        title += f" ({len(values) - len(finite)} of {len(values)} endless or empty)"
    axes.set_title(title)
    if not len(finite):
        axes.set_axis_off()
        return
    _log_histogram(axes, finite, "memory length in steps")
    middle = float(np.sort(finite)[len(finite) // 2])
    axes.axvline(middle, color=VERMILLION, linewidth=1.4, label=f"median {middle:,.0f}")
    axes.set_ylim(top=1.2 * axes.get_ylim()[1])
    axes.legend()


def impulse(axes: Axes, system: Invariant, length: int, title: str) -> None:
    """Kernel of a system with one head; the skip, a spike at 0, would dwarf it."""
    K = _array(kernel(system, min(length, LONGEST))[0])
    axes.axhline(0, color=FAINT, linewidth=0.8)
    axes.plot(K, color=BLUE, linewidth=1.1, rasterized=len(K) > 4000)
    axes.set(xlabel="steps after the impulse", ylabel="response", xlim=(0, len(K)))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    axes.set_title(title)


def scenarios(axes: Axes, channels: Tensor) -> None:
    """Histogram of mu = S_C^T S_B of every channel: tokens converge left of 0, diverge right."""
    axes.hist(_array(channels), bins=40, color=BLUE, edgecolor="white", linewidth=0.5)
    axes.axvline(0, color=VERMILLION, linewidth=1)
    axes.set(xlabel="μ of a channel", ylabel="count", title="Tokens: converge | diverge")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))


def bode(
    axes: Axes, systems: Mapping[str, Continuous | Invariant], omega: Tensor, head: int = 0
) -> None:
    """Magnitude of transfer functions over angular frequencies omega (f,), one head of each."""
    for label, system in systems.items():
        s = 1j * omega if isinstance(system, Continuous) else torch.exp(1j * omega)
        magnitude = transfer_function(system, s)[head].abs()
        axes.loglog(_array(omega), _array(magnitude), label=label)
    axes.set(xlabel="angular frequency ω", ylabel="gain |G|")
    axes.set_xlim(float(omega.min()), float(omega.max()))
    axes.set_title("Transfer function")
    _plain_ticks(axes.yaxis)
    if len(systems) > 1:
        axes.legend()


def resolvent_levels(axes: Axes, portrait: Pseudospectrum) -> None:
    """Filled contours of the resolvent norm in powers of ten, and the eigenvalues as computed."""
    sigma = np.log10(np.maximum(_array(portrait.sigma_min), portrait.floor))
    low, high = np.floor(sigma.min()), np.ceil(sigma.max())
    step = max(1, int(np.ceil((high - low) / 8)))
    levels = np.arange(high - step * np.ceil((high - low) / step), high + step, step)
    x, y = _array(portrait.real), _array(portrait.imag)
    filled = axes.contourf(x, y, sigma, levels, cmap="cividis")
    axes.contour(x, y, sigma, levels, colors="white", linewidths=0.4, linestyles="solid")
    values = portrait.eigenvalues
    axes.scatter(
        _array(values.real), _array(values.imag), s=12, color=VERMILLION, linewidths=0, zorder=3
    )
    if x.min() < 0 < x.max():
        axes.axvline(0, color="white", linewidth=1, linestyle=":")
    axes.set(xlabel="real part", ylabel="imaginary part")
    axes.set(xlim=(x.min(), x.max()), ylim=(y.min(), y.max()))
    axes.set_title("Pseudospectrum")
    axes.grid(False)
    assert axes.figure is not None
    bar = axes.figure.colorbar(filled, ax=axes, ticks=levels)
    bar.ax.set_yticklabels([f"$10^{{{int(level)}}}$" for level in levels])
    bar.set_label("‖E‖ that puts an eigenvalue here", fontsize=8)


def _array(x: Tensor) -> np.ndarray:
    """Plain numbers, of a parameter or a result, from any device."""
    return x.detach().cpu().numpy()


def _log_histogram(axes: Axes, values: np.ndarray, label: str) -> None:
    low, high = values.min(), values.max()
    if high < 1.5 * low:  # all alike: a window of a factor of two around them
        low, high = low / 1.5, high * 1.5
    count = int(np.clip(2 * len(values) ** 0.5, 8, 40))
    edges = np.geomspace(low, high * (1 + 1e-9), count + 1)
    axes.hist(values, bins=list(edges), color=BLUE, edgecolor="white", linewidth=0.5)
    axes.set_xscale("log")
    axes.set(xlabel=label, ylabel="count")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    _plain_ticks(axes.xaxis)


def _plain_ticks(axis: Axis) -> None:
    """Label 1, 2, 5 on a logarithmic axis that spans too little for powers of ten alone."""
    low, high = axis.get_view_interval()
    if high < 50 * low:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.4g}"))
        axis.set_minor_formatter(NullFormatter())


def _scatter(axes: Axes, values: Tensor) -> None:
    """Eigenvalues in the complex plane."""
    _points(axes, _array(values.real), _array(values.imag), size=12, color=BLUE)


def _points(
    axes: Axes, x: np.ndarray, y: np.ndarray, size: float, color: str, label: str | None = None
) -> None:
    """Points; a crowd shows its density, and goes into a vector file as one bitmap."""
    crowd = len(x) > 300
    axes.scatter(
        x,
        y,
        s=size,
        color=color,
        label=label,
        alpha=float(np.clip(6 / len(x) ** 0.5, 0.1, 0.9)) if crowd else 0.9,
        linewidths=0,
        rasterized=crowd,
    )
