"""Everything that the report says, gathered and put into the template."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from resolvent import __version__, papers, plots
from resolvent.atomic import write_atomic
from resolvent.data import SeriesSet
from resolvent.report import figures, tables
from resolvent.report.model import describe_model
from resolvent.workflow import Evaluation, Fitted, read_config

PAGE = "report.html"

PAPERS = {"s5-ptd": ("S5", "S5-PTD"), "s4-ptd": ("S4D", "S4-PTD")}
"""Papers that a model rests on, where they are not the one with the model's family name."""


def write_report(fitted: Fitted, train: SeriesSet | None = None) -> Path:
    """Write report.html into the folder of a run.

    Args:
        fitted: A run that has a folder.
        train: Its training set, to show examples of it.

    Returns:
        The path of the page.

    Raises:
        ValueError: The run has no folder.
    """
    if fitted.run.folder is None:
        raise ValueError("fitted: the run has no folder; train it with folder=...")
    page = fitted.run.folder / PAGE
    write_atomic(page, render(fitted, train))
    return page


def render(fitted: Fitted, train: SeriesSet | None = None) -> str:
    """The page as text; arguments as for `write_report`."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    template = environment.from_string(
        files("resolvent.report").joinpath("page.html").read_text(encoding="utf-8")
    )
    run = fitted.run
    return template.render(
        version=__version__,
        name=run.data.get("name", "run"),
        kind=run.target.kind,
        choices=run.choices,
        status=fitted.result.status,
        headlines=fitted.headlines,
        tiles=_tiles(fitted),
        curves=figures.learning_curves(fitted.result.history),
        best=fitted.result.best,
        parts=[_part(fitted, name, part) for name, part in fitted.parts.items()],
        facts=tables.data_facts(run.data),
        examples=None if train is None else figures.examples(train),
        model=describe_model(run.model),
        pictures=[(p.title, plots.to_svg(p.figure), p.text) for p in _inspect(fitted)],
        commands=_commands(fitted),
        run_folder=repr(str(run.folder)),
        config=_config(run.folder),
        citations=_citations(run.choices.model),
    )


def _part(fitted: Fitted, name: str, part: Evaluation) -> dict[str, Any]:
    """One evaluated part: scores, and what they are made of."""
    classes = fitted.run.target.encoding
    said: dict[str, Any] = {"name": name, "n": len(part.y), "scores": part.scores}
    if classes is None:
        return said | {"scatter": figures.scatter(part), "confusion": None}
    return said | {"scatter": None, **tables.per_class(part, classes.classes)}


def _tiles(fitted: Fitted) -> list[tuple[str, str]]:
    """Numbers worth a glance: (what, value)."""
    model = describe_model(fitted.run.model)
    seconds = fitted.result.history[-1]["seconds"]
    tiles = [
        ("parameters", f"{model.parameters:,}"),
        ("trained in", f"{seconds:,.0f} s" if seconds < 120 else f"{seconds / 60:,.1f} min"),
        ("steps", f"{fitted.result.step:,}"),
    ]
    if model.state_bytes is not None:
        tiles.insert(1, ("state of a stream", f"{model.state_bytes / 1024:,.1f} kB"))
    return tiles


def _inspect(fitted: Fitted) -> Iterable[plots.Picture]:
    return plots.inspect_model(fitted.run.model)


def _commands(fitted: Fitted) -> list[tuple[str, str]]:
    """What to do with the run next: (purpose, command)."""
    folder = shlex.quote(str(fitted.run.folder))
    commands = [
        ("Predict other series", f"resolvent predict {folder} NEW --out predictions.csv"),
        ("Score it on labelled series", f"resolvent evaluate {folder} LABELLED"),
        ("Pictures of what it remembers", f"resolvent inspect {folder}"),
    ]
    if fitted.run.model.causal:
        stream = f"tail -f rows.csv | resolvent stream {folder}"
        commands.insert(1, ("A prediction after every row", stream))
    return commands


def _config(folder: Path | None) -> str:
    return "" if folder is None else json.dumps(read_config(folder), indent=2)


def _citations(model: str) -> list[str]:
    """BibTeX of the papers that a model rests on."""
    names = PAPERS.get(model, (model.split("-")[0].upper(),))
    return list(dict.fromkeys(paper.bibtex() for paper in papers.ALL if paper.name in names))
