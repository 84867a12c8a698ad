"""Nothing wrong is timed, and the tables say what ran."""

import pytest
import torch
from torch import nn

from resolvent import bench
from resolvent.bench import Call, Case, Machine, check, of_module, run
from resolvent.cli import main

MACHINE = Machine(10.0, 50.0)


def squares(op, **options):
    """A case of x -> x^2."""
    x = torch.randn(40, generator=torch.Generator().manual_seed(0))
    return Case("square", "n 40", Call(op, (x,)), work=40.0, **options)


def test_what_is_right_is_timed():
    x = torch.randn(40)
    case = squares(torch.square, peers={"scale": Call(torch.exp, (x,), same=False)})
    forward, both = run(case, MACHINE, runs=2)
    assert forward.ours and forward.reached and forward.peers["scale"] > 0
    assert both.kind == "both" and both.ours and both.reached is None


@pytest.mark.parametrize("kind", ["forward", "both"])
def test_a_wrong_result_is_not_timed(kind):
    calls = []

    def wrong(x):
        calls.append(x.dtype)
        right = x.square()  # in float64 it is right, in float32 its value or its slope is not
        if x.dtype == torch.float64:
            return right
        return right + 0.01 if kind == "forward" else right.detach() + 2.1 * (x - x.detach())

    rows = {row.kind: row for row in run(squares(wrong), MACHINE, runs=100)}
    assert rows[kind].ours is None and "ours: wrong by" in rows[kind].wrong
    assert (rows["forward"].ours is None) == (kind == "forward")
    assert (calls.count(torch.float32) < 100) == (kind == "forward")
    assert "**ours: wrong by" in bench.line(rows[kind], [])


def test_a_wrong_peer_stops_the_case_too():
    x = torch.randn(40)
    case = squares(torch.square, peers={"peer": Call(torch.exp, (x,))})
    assert all("peer: wrong by" in row.wrong for row in run(case, MACHINE, runs=1))


def test_a_module_is_differentiated_by_its_parameters():
    linear = nn.Linear(3, 2)
    ours, exact = of_module(linear, torch.randn(5, 3), output=lambda y: y)
    case = Case("linear", "", ours, reference=exact)
    check(case, "both")
    with torch.no_grad():
        linear.bias.add_(1.0)
    with pytest.raises(ArithmeticError, match="ours"):
        check(case, "forward")


def test_the_command_lists_measures_and_judges(capsys, monkeypatch, tmp_path):
    cases = {"square": lambda: iter([squares(torch.square)])}
    monkeypatch.setattr(bench, "CASES", cases)
    monkeypatch.setattr(bench, "limits", lambda: MACHINE)
    assert main(["bench", "--list"]) == 0
    assert "square" in capsys.readouterr().out
    out = tmp_path / "results.md"
    assert main(["bench", "square", "--runs", "1", "--out", str(out)]) == 0
    assert "| n 40 | forward |" in out.read_text() and "limits: copy 10.0 GB/s" in out.read_text()
    cases["square"] = lambda: iter([squares(lambda x: x.square() + (x.dtype == torch.float32))])
    assert main(["bench", "square", "--runs", "1"]) == 1
    assert "wrong by" in capsys.readouterr().out
    assert main(["bench", "squire"]) == 2
    assert "did you mean 'square'" in capsys.readouterr().err
