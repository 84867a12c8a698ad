"""The road through the command: fit, evaluate, predict, stream, inspect, on one tiny run."""

from __future__ import annotations

import csv
import io
import json
from html.parser import HTMLParser

import numpy as np
import pytest

from cli.tiny_run import SMALL, rows, table
from resolvent.cli import main
from resolvent.workflow import load_run


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with train.csv, new.csv (unlabelled), and a finished run."""
    folder = tmp_path_factory.mktemp("road")
    (folder / "train.csv").write_text(table())
    (folder / "later.csv").write_text(table(6, seed=1))
    (folder / "new.csv").write_text(table(6, seed=1, labelled=False))
    run = ["--out", str(folder / "run"), "--id", "case", "--time", "step", "--epochs", "6"]
    assert main(["fit", str(folder / "train.csv"), *run, *SMALL]) == 0
    return folder


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_run_is_whole(place):
    names = {path.name for path in (place / "run").iterdir()}
    expected = {"config.json", "metrics.jsonl", "model.safetensors", "scores.json", "report.html"}
    assert expected <= names
    config = json.loads((place / "run" / "config.json").read_text())
    assert {"choices", "data", "inputs", "target", "model", "train"} <= set(config)
    assert config["data"]["channels"] == ["level", "pace"] and config["data"]["held_out"] > 0
    history = [json.loads(x) for x in (place / "run" / "metrics.jsonl").read_text().splitlines()]
    assert len(history) == 6 and all("valid_accuracy" in row for row in history)


def test_evaluate_is_predict_compared(place, capsys):
    assert main(["evaluate", str(place / "run"), str(place / "later.csv"), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert main(["predict", str(place / "run"), str(place / "later.csv")]) == 0
    predictions = read_csv(capsys.readouterr().out)
    right = [row["label"] == row["prediction"] for row in predictions]
    assert scores["accuracy"] == pytest.approx(np.mean(right))


def test_predictions_carry_the_ids_of_the_table(place, capsys):
    head, *lines = (place / "new.csv").read_text().splitlines()
    (place / "shuffled.csv").write_text("\n".join([head, *lines[::-1]]) + "\n")
    found = []
    for name in ("new.csv", "shuffled.csv"):
        assert main(["predict", str(place / "run"), str(place / name), "--id", "case"]) == 0
        found.append(read_csv(capsys.readouterr().out))
    assert [row["id"] for row in found[0]] == list("012345")
    plain, shuffled = ({row["id"]: row["p(fast)"] for row in rows} for rows in found)
    assert shuffled == pytest.approx(plain)


def test_predict_needs_no_labels_and_knows_two_formats(place, capsys):
    run, new = str(place / "run"), str(place / "new.csv")
    assert main(["predict", run, new, "--out", str(place / "p.csv")]) == 0
    assert main(["predict", run, new, "--out", str(place / "p.jsonl")]) == 0
    lines = [json.loads(x) for x in (place / "p.jsonl").read_text().splitlines()]
    table_rows = read_csv((place / "p.csv").read_text())
    assert [x["prediction"] for x in lines] == [x["prediction"] for x in table_rows]
    assert all(abs(x["p(fast)"] + x["p(slow)"] - 1) < 1e-5 for x in lines)
    assert capsys.readouterr().out == ""


def test_a_run_of_a_table_predicts_arrays(place, capsys):
    np.save(place / "later.npy", np.zeros((3, 14, 2)))
    assert main(["predict", str(place / "run"), str(place / "later.npy")]) == 0
    assert len(read_csv(capsys.readouterr().out)) == 3


def test_a_run_of_series_generates_no_text(place, capsys):
    assert main(["generate", str(place / "run"), "--prompt", "x"]) == 2
    assert "holds a model of series; expected a language model" in capsys.readouterr().err


def streamed(capsys, monkeypatch, run, text: str, *options: str) -> list[dict]:
    """Rows that the command stream prints for a text on standard input."""
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert main(["stream", str(run), "--format", "jsonl", *options]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_stream_equals_predict(place, capsys, monkeypatch):
    text = (place / "new.csv").read_text()
    said = streamed(capsys, monkeypatch, place / "run", "\n".join(rows(text)) + "\n")
    assert main(["predict", str(place / "run"), str(place / "new.csv")]) == 0
    whole = read_csv(capsys.readouterr().out)
    ends = np.cumsum([14 + i % 3 for i in range(6)]) - 1
    for end, row in zip(ends, whole, strict=True):
        assert said[end]["prediction"] == row["prediction"]
        # float32 sums in another order, over at most 16 steps
        assert said[end]["probability"] == pytest.approx(
            float(row[f"p({row['prediction']})"]), abs=1e-5
        )


def test_stream_takes_columns_by_name_and_resets_on_one(place, capsys, monkeypatch):
    text = (place / "new.csv").read_text()
    by_position = streamed(capsys, monkeypatch, place / "run", "\n".join(rows(text)))
    by_name = streamed(capsys, monkeypatch, place / "run", text, "--reset-on", "case")
    assert by_name == by_position


def test_stream_continues_from_a_saved_state(place, capsys, monkeypatch):
    lines = rows((place / "new.csv").read_text())[:14]
    whole = streamed(capsys, monkeypatch, place / "run", "\n".join(lines))
    state = str(place / "state.safetensors")
    streamed(capsys, monkeypatch, place / "run", "\n".join(lines[:9]), "--save-state", state)
    rest = streamed(capsys, monkeypatch, place / "run", "\n".join(lines[9:]), "--load-state", state)
    assert [x["probability"] for x in rest] == [x["probability"] for x in whole[9:]]


def test_stream_names_the_option_of_a_state_that_is_none(place, capsys):
    assert main(["stream", str(place / "run"), "--load-state", str(place / "new.csv")]) == 2
    assert "error: --load-state: " in capsys.readouterr().err


def test_stream_names_the_malformed_line_or_counts_it(place, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("0.1,0.2\n0.3,oops\n0.3\n0.5,?\n"))
    assert main(["stream", str(place / "run")]) == 2
    said = capsys.readouterr()
    assert said.out.count("\n") == 1
    assert said.err.count("\n") == 1 and "line 2: found 'oops' in channel pace" in said.err
    monkeypatch.setattr("sys.stdin", io.StringIO("0.1,0.2\n0.3,oops\n0.3\n0.5,?\n"))
    assert main(["stream", str(place / "run"), "--skip-malformed"]) == 0
    said = capsys.readouterr()
    assert said.out.count("\n") == 2 and "2 malformed rows" in said.err


def test_python_streams_the_same(place, capsys, monkeypatch):
    lines = rows((place / "new.csv").read_text())[:14]
    said = streamed(capsys, monkeypatch, place / "run", "\n".join(lines))
    stream = load_run(place / "run").stream()
    for line, row in zip(lines, said, strict=True):
        prediction = stream.push([float(cell or "nan") for cell in line.split(",")])
        assert prediction.value == row["prediction"]
        assert prediction.probabilities.max() == pytest.approx(row["probability"], abs=1e-6)


def test_inspect_draws_every_layer(place, capsys):
    assert main(["inspect", str(place / "run")]) == 0
    assert "memory" in capsys.readouterr().out
    pictures = list((place / "run" / "pictures").glob("*.svg"))
    assert len(pictures) == 1 and pictures[0].read_text().startswith("<svg")


class Links(HTMLParser):
    """Collects whatever a page would fetch, and its element names."""

    def __init__(self):
        super().__init__()
        self.fetched: list[str] = []
        self.names: set[str] = set()

    def handle_starttag(self, tag, attrs):
        """Note it."""
        self.names.add(tag)
        for key, value in attrs:
            inside = value is not None and value.startswith(("#", "data:"))
            if key in ("src", "href", "xlink:href") and not inside:
                self.fetched.append(f"{tag} {value}")


def test_the_report_needs_nothing_else(place):
    text = (place / "run" / "report.html").read_text()
    links = Links()
    links.feed(text)
    assert links.fetched == [] and "svg" in links.names and "script" not in links.names
    for part in ("validation accuracy", "Learning curves", "precision", "resolvent stream", "cite"):
        assert part in text


def test_a_finished_run_is_not_overwritten_unasked(place, capsys):
    before = (place / "run" / "model.safetensors").read_bytes()
    again = ["fit", str(place / "train.csv"), "--out", str(place / "run"), "--id", "case"]
    assert main([*again, "--time", "step", *SMALL]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (place / "run" / "model.safetensors").read_bytes() == before
