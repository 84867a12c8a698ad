"""Whatever a user gets wrong is one line on standard error and exit code 2."""

from __future__ import annotations

import pytest

from cli.tiny_run import SMALL, table
from resolvent.cli import main

WRONG = {
    "unknown command": (["fti"], "did you mean 'fit'"),
    "no source": (["fit"], "SOURCE is missing"),
    "no such file": (["fit", "nowhere.csv"], "no such file"),
    "nearly a name": (["fit", "gunpiont"], "no set of that name; is it gunpoint?"),
    "unknown option": (["fit", "x", "--epoks", "3"], "did you mean --epochs"),
    "word for a number": (["fit", "x", "--epochs", "many"], "expected a whole number, got 'many'"),
    "unknown model": (["fit", "x", "--model", "s9"], "s5-ptd"),
    "impossible share": (["fit", "x", "--validation", "3"], "validation: expected a share"),
    "negative seed": (["fit", "x", "--seed", "-1"], "seed: expected a whole number of at least 0"),
    "no patience": (["fit", "x", "--patience", "0"], "patience: expected at least 1"),
    "too smooth": (["fit", "x", "--label-smoothing", "2"], "label_smoothing: expected a share"),
    "two sources": (["fit", "x", "y"], "unrecognized"),
    "missing arguments": (["predict"], "missing: RUN SOURCE"),
    "no run": (["predict", "nowhere", "x.csv"], "nowhere/config.json"),
    "bad extension": (["predict", "nowhere", "x.csv", "--out", "x.txt"], ".csv or .jsonl"),
    "no such layer": (["verify", "nowhere.py:Layer"], "nowhere.py"),
    "no layer name": (["verify", "nowhere.py"], "target: expected"),
    "bad setting": (["verify", "resolvent.layers:S4D", "--set", "8"], "name=value"),
    "no tokens": (["inspect", "x", "--tokens", "0"], "--tokens: expected at least 1"),
    "unknown paper": (["papers", "S44"], "did you mean 's4"),
    "unknown claim": (["claims", "nothing"], "resolvent claims"),
    "all claims and one": (["claims", "spike", "--all"], "--all"),
    "no seeds": (["claims", "--seeds", "0"], "--seeds"),
}


@pytest.mark.parametrize("case", WRONG)
def test_one_line_and_exit_code_two(case, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    argv, hint = WRONG[case]
    assert main(argv) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    assert said.err.startswith("resolvent: error: ") and hint in said.err
    assert list(tmp_path.iterdir()) == []


def test_unlearnable_data_leave_nothing_behind(tmp_path, capsys):
    alike = table().replace("slow", "fast")
    (tmp_path / "alike.csv").write_text(alike)
    options = ["--id", "case", "--time", "step", "--out", str(tmp_path / "run"), *SMALL]
    assert main(["fit", str(tmp_path / "alike.csv"), *options]) == 2
    assert "single class" in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_debug_shows_the_traceback():
    with pytest.raises(ValueError, match="no such file"):
        main(["fit", "nowhere.csv", "--debug"])


def test_an_internal_fault_says_so(capsys, monkeypatch):
    def fail(*_):
        raise KeyError("oops")

    monkeypatch.setattr("resolvent.cli.parse", fail)
    assert main(["doctor"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "unexpected KeyError" in said and "--debug" in said
