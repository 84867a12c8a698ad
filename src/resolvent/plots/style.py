"""How every picture looks: one palette, one set of sizes, figures that need no display.

Colours are those of Okabe and Ito (2008), told apart by every kind of colour vision; curves that
share axes also differ in dash. Backgrounds are white, which reads the same on a dark page.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import matplotlib
import torch
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE, VERMILLION, GREEN = "#0072B2", "#D55E00", "#009E73"
PURPLE, ORANGE, SKY = "#CC79A7", "#E69F00", "#56B4E9"
INK, FAINT, FORBIDDEN = "#333333", "#B0B0B0", "#FBEAE2"

CURVES = cycler(
    color=[BLUE, VERMILLION, GREEN, PURPLE, ORANGE],
    linestyle=["-", "--", "-.", (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1))],
)

STYLE = {
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "savefig.dpi": 150,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.prop_cycle": CURVES,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "lines.markersize": 4,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "svg.hashsalt": "resolvent",
}

WIDTH, HEIGHT = 4.2, 3.0
"""Inches of one panel."""

_P = ParamSpec("_P")


def styled(draw: Callable[_P, Figure]) -> Callable[_P, Figure]:
    """Make a figure under this style, without gradients, and leave no trace of the style."""

    @wraps(draw)
    def wrapped(*args: _P.args, **kwargs: _P.kwargs) -> Figure:
        with matplotlib.rc_context(STYLE), torch.no_grad():  # type: ignore[arg-type]
            return draw(*args, **kwargs)

    return wrapped


def panels(rows: int = 1, columns: int = 1, width: float = WIDTH) -> tuple[Figure, list[Axes]]:
    """A figure without a window, and its axes row by row."""
    figure = Figure(figsize=(width * columns, HEIGHT * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    return figure, list(axes.flat)


def to_svg(figure: Figure) -> str:
    """The figure as an <svg> element, for a file or inside HTML; the same text every time."""
    out = io.StringIO()
    with matplotlib.rc_context(STYLE):  # type: ignore[arg-type]
        figure.savefig(out, format="svg", metadata={"Date": None})
    text = out.getvalue()
    return text[text.index("<svg") :]
