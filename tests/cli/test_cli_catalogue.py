"""The commands that print tables: papers, claims, verify, doctor, and the list of named sets."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import get_args

import pytest

import resolvent.contract
from resolvent import papers
from resolvent.choices import MODELS, ModelName
from resolvent.cli import main
from resolvent.kernels import backend
from resolvent.papers import Claim, Paper, Row


def test_named_sets_are_listed(capsys):
    assert main(["fit", "--list"]) == 0
    assert "gunpoint" in capsys.readouterr().out


def test_papers_are_listed_and_cited(capsys):
    assert main(["papers"]) == 0
    assert "S4D" in capsys.readouterr().out
    assert main(["papers", "s5", "--bibtex"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("@") and "Smith" in said


def test_every_model_name_is_a_choice():
    assert get_args(ModelName) == tuple(MODELS)


@pytest.fixture
def one_claim(monkeypatch):
    """A registry with one paper, whose claim holds for seeds below 2."""

    def run(seeds):
        return [Row(f"error of seed {s}", "0.1", f"{s / 10}", s < 2) for s in seeds]

    claim = Claim("small-error", "the error is small", run, 1.0)
    paper = Paper("X", "On X", "A. Author", 2024, "Venue", "none", claims=(claim,))
    monkeypatch.setattr(papers, "ALL", (paper,))


def test_claims_are_run_and_judged(one_claim, capsys):
    assert main(["claims", "x", "--seeds", "2"]) == 0
    said = capsys.readouterr().out
    assert "published" in said and "error of seed 1" in said and "A. Author" in said
    assert main(["claims", "small-error", "--seeds", "3"]) == 1
    assert main(["claims", "--all"]) == 1


@pytest.mark.parametrize("arguments", [[], ["--list"], ["--list", "small-error"]])
def test_claims_are_listed_and_not_run_unless_named(one_claim, capsys, arguments):
    assert main(["claims", *arguments]) == 0
    said = capsys.readouterr().out
    assert "small-error  X  about 1 s  the error is small" in said
    assert "1 claims, about 1 s in all" in said and "published" not in said


def test_every_claim_can_be_listed(capsys):
    assert main(["claims"]) == 0
    lines = capsys.readouterr().out.splitlines()
    claims = [claim for paper in papers.ALL for claim in paper.claims]
    assert [x.split()[0] for x in lines[: len(claims)]] == [claim.name for claim in claims]
    assert len({claim.name for claim in claims}) == len(claims)


def test_verify_prints_the_contract_and_judges(capsys, monkeypatch, tmp_path):
    chosen = ("causal", "deterministic")
    few = [resolvent.contract.PROMISES[x] for x in resolvent.contract.PROMISES if x in chosen]
    assert few
    verify = resolvent.contract.verify
    monkeypatch.setattr(resolvent.contract, "verify", lambda *a, **k: verify(*a, **k, promises=few))
    assert main(["verify", "resolvent.layers:S4D", "--set", "d_state=4", "init=lin"]) == 0
    assert f"{len(few)} of {len(few)} promises held" in capsys.readouterr().out
    (tmp_path / "noisy.py").write_text(
        "import torch\n"
        "class Noisy(torch.nn.Module):\n"
        "    def __init__(self, d_model):\n"
        "        super().__init__()\n"
        "    def forward(self, u, state=None):\n"
        "        return u + torch.rand(()), state\n"
    )
    assert main(["verify", f"{tmp_path / 'noisy.py'}:Noisy"]) == 1
    assert "NO" in capsys.readouterr().out


def test_doctor_names_backends_and_remedies(capsys):
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "torch" in said and "diagonal_ssm" in said and "threads" in said


@pytest.fixture
def no_backend(monkeypatch):
    """No backend is chosen yet; the test's choice ends with it."""
    monkeypatch.setattr(backend, "_current", None)


def test_doctor_tells_of_kernels_built_from_other_sources(no_backend, monkeypatch, capsys):
    module = SimpleNamespace(sources="of another day")
    monkeypatch.setitem(sys.modules, "resolvent.kernels._native_baseline", module)
    monkeypatch.setenv("RESOLVENT_KERNELS", "auto")
    backend.available.cache_clear()
    assert "build them again" in _findings_without_kernels(capsys)


def test_doctor_tells_of_a_backend_that_is_not_there(no_backend, monkeypatch, capsys):
    monkeypatch.setenv("RESOLVENT_KERNELS", "sse9")
    assert "'sse9' is not available" in _findings_without_kernels(capsys)


def _findings_without_kernels(capsys) -> str:
    """The line on ops, after all else was found as usual."""
    assert main(["doctor"]) == 1
    found = capsys.readouterr()
    assert "seglearn" in found.out and not found.err
    (line,) = [x for x in found.out.splitlines() if "none can run ->" in x]
    return line
