"""Tables of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from resolvent.workflow import Evaluation

MOST_CLASSES = 30
"""Classes up to which the confusion matrix is drawn."""


def per_class(part: Evaluation, classes: Sequence[Any]) -> dict[str, Any]:
    """Confusion matrix (true in rows) with shares, and precision, recall and F1 of every class."""
    position = {label: i for i, label in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)), dtype=int)
    for true, predicted in zip(part.y.tolist(), part.predicted.tolist(), strict=True):
        counts[position[true], position[predicted]] += 1
    hits, support, predicted = counts.diagonal(), counts.sum(1), counts.sum(0)
    rows = []
    for i, label in enumerate(classes):
        precision = hits[i] / predicted[i] if predicted[i] else float("nan")
        recall = hits[i] / support[i] if support[i] else float("nan")
        total = predicted[i] + support[i]
        f1 = 2 * hits[i] / total if total else float("nan")
        rows.append((str(label), precision, recall, f1, int(support[i])))
    shares = counts / np.maximum(support, 1)[:, None]
    drawn = len(classes) <= MOST_CLASSES
    matrix = [
        (str(label), list(zip(counts[i].tolist(), shares[i].tolist(), strict=True)))
        for i, label in enumerate(classes)
    ]
    return {"confusion": matrix if drawn else None, "classes": rows}


def data_facts(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is known about the data, in words: (what, value)."""
    low, high = data["lengths"]
    channels = data["channels"]
    shown = ", ".join(channels[:8]) + (", ..." if len(channels) > 8 else "")
    facts = [
        ("source", str(data["source"])),
        ("training series", f"{data['series']:,}"),
        ("of these held out", f"{data['held_out']:,}"),
        ("test series", f"{data['test']:,}"),
        ("length", f"{low:,}" if low == high else f"{low:,} to {high:,}"),
        ("channels", f"{len(channels)}: {shown}"),
        ("missing values", "yes; filled forward, with mask channels" if data["missing"] else "no"),
    ]
    if data["sampling_rate"]:
        facts.append(("sampling rate", f"{data['sampling_rate']:g} a second"))
    if "classes" in data:
        sizes = data["classes"].values()
        equal = min(sizes) == max(sizes)
        of = f"{min(sizes)} series each" if equal else f"{min(sizes)} to {max(sizes)} series"
        facts.append(("classes", f"{len(sizes)}, of {of}"))
    else:
        facts.append(("target", "from {:g} to {:g}".format(*data["range"])))
    if "groups" in data:
        held = ", ".join(data.get("held_out_groups", ()))
        facts.append(("groups", f"{data['groups']}" + (f"; held out: {held}" if held else "")))
    return facts
