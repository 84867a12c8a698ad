"""Pictures of the report that are about a run, in the style of `resolvent.plots`."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from resolvent import plots
from resolvent.data import SeriesSet
from resolvent.plots.style import BLUE, FAINT, GREEN, VERMILLION, styled
from resolvent.workflow import Evaluation

SHOWN = 8
"""Classes, or series of a regression, that examples are shown of."""

EACH = 4
"""Examples of a class."""


def learning_curves(history: list[dict]) -> str:
    """Loss of training and held-out part, and the metrics of the latter, over steps: an <svg>."""
    return plots.to_svg(_learning_curves(history))


def scatter(part: Evaluation) -> str:
    """Predicted over true values: an <svg>."""
    return plots.to_svg(_scatter(part))


def examples(series: SeriesSet) -> str:
    """A few series of every class, first channel over time: an <svg>."""
    return plots.to_svg(_examples(series))


@styled
def _learning_curves(history: list[dict]) -> Figure:
    steps = [row["step"] for row in history]
    metrics = [k for k in ("valid_accuracy", "valid_balanced_accuracy") if k in history[0]]
    metrics = metrics or [k for k in ("valid_rmse", "valid_mae") if k in history[0]]
    figure = Figure(figsize=(9.0 if metrics else 5.0, 3.0), layout="constrained")
    axes = figure.subplots(1, 2 if metrics else 1, squeeze=False)[0]
    lines = {"training": "train_loss", "held out": "valid_loss"}
    for (label, key), color in zip(lines.items(), (BLUE, VERMILLION), strict=True):
        if key in history[0]:
            axes[0].plot(steps, [row[key] for row in history], label=label, color=color)
    axes[0].set(xlabel="step", title="Loss")
    axes[0].xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes[0].legend()
    for key, color in zip(metrics, (GREEN, FAINT), strict=False):
        label = key.removeprefix("valid_").replace("_", " ")
        axes[1].plot(steps, [row[key] for row in history], label=label, color=color)
        axes[1].set(xlabel="step", title="Held-out part")
        axes[1].xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes[1].legend()
    return figure


@styled
def _scatter(part: Evaluation) -> Figure:
    figure = Figure(figsize=(4.2, 3.8), layout="constrained")
    axes = figure.subplots()
    both = np.concatenate([part.y, part.predicted])
    span = (float(both.min()), float(both.max()))
    axes.plot(span, span, color=FAINT, linewidth=0.8)
    axes.scatter(part.y, part.predicted, s=14, color=BLUE, alpha=0.7, linewidths=0)
    axes.set(xlabel="true", ylabel="predicted", title="Predictions")
    return figure


@styled
def _examples(series: SeriesSet) -> Figure:
    picks = _picks(series)
    columns = min(4, len(picks))
    rows = -(-len(picks) // columns)
    figure = Figure(figsize=(9.0, 1.5 * rows + 0.3), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for ax, (title, indices) in zip(axes, picks, strict=False):
        for i in indices:
            ax.plot(series.X[i][:, 0], linewidth=0.8, linestyle="-", color=BLUE, alpha=0.55)
        ax.set_title(title, fontsize=8)
        ax.set_yticks([])
        ax.margins(x=0)
    for ax in axes[len(picks) :]:
        ax.set_axis_off()
    return figure


def _picks(series: SeriesSet) -> list[tuple[str, list[int]]]:
    """(title, which series) for each panel: classes, or targets from low to high."""
    y = series.labels
    if series.task == "regression":
        order = np.argsort(y)[np.linspace(0, len(y) - 1, min(SHOWN, len(y))).astype(int)]
        return [(f"target {y[i]:.4g}", [int(i)]) for i in order]
    return [
        (str(label)[:24], np.flatnonzero(y == label)[:EACH].tolist())
        for label in series.classes[:SHOWN]
    ]
