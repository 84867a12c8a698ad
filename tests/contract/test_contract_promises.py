"""Every promise can be kept by a layer in plain torch, and is broken by a mutant of it."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from contract.mutants import BREAKS, Smoother
from resolvent.contract import PROMISES, TOLERANCES, difference, verify

# a Python loop cannot take the long shapes; what these promises measure shows earlier in a mutant
SHORT = {
    "float32 follows float64": (1, 600),
    "finite over a million steps": (1, 4000),
    "compiles in one piece": (2, 5),
}
NEEDS_A_SYSTEM = (
    "kernel is the impulse response",
    "output is the dense simulation",
    "dt scales the step size",
)


def measured(name, layer):
    promise = PROMISES[name]
    if name in SHORT:
        promise = replace(promise, shapes=(SHORT[name],))
    return verify(layer, promises=[promise]).rows[0]


def test_every_promise_has_a_mutant():
    assert set(BREAKS) == set(PROMISES)


@pytest.mark.parametrize("name", PROMISES)
def test_a_layer_in_plain_torch_keeps_the_promise(name):
    row = measured(name, Smoother)
    if name in NEEDS_A_SYSTEM:
        assert row.held is None and "the layer" in row.note
    else:
        assert row.held, row


@pytest.mark.parametrize("name", PROMISES)
def test_its_mutant_breaks_it(name):
    row = measured(name, BREAKS[name])
    assert row.held is False
    assert row.note or row.error > row.tolerance.bound


def test_every_promise_has_a_sentence():
    for promise in PROMISES.values():
        assert promise.meaning.endswith(".") and promise.meaning.count(". ") == 0, promise.name
        assert promise.shapes and promise.tolerance.reason


def test_every_tolerance_has_a_reason_and_is_small():
    for table in TOLERANCES.values():
        for entry in table.values():
            assert 0 < entry.bound < 0.05 and len(entry.reason) > 20


def test_options_that_forward_lacks_are_excused():
    class Plain(Smoother):
        def forward(self, u, state=None):
            return super().forward(u, state)

    report = verify(Plain, promises=[PROMISES["packed is separate"], PROMISES["any size"]])
    packed, size = report.rows
    assert packed.held is None and packed.note == "forward has no argument 'resets'"
    assert size.held and report.held and not report.broken


def test_a_layer_that_is_not_causal_is_excused_from_streaming():
    class Whole(nn.Module):
        causal = False

        def __init__(self, d_model):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(d_model))

        def forward(self, u, state=None, *, lengths=None):
            return u * self.weight, None

    rows = {row.promise: row for row in verify(Whole, promises=_quick()).rows}
    assert rows["forward is the loop of step"].held is None
    assert "not causal" in rows["causal"].note
    assert rows["rows do not touch"].held and rows["saved weights are the layer"].held


def _quick():
    slow = ("exports", "compiles", "million")
    return [x for x in PROMISES.values() if not any(word in x.name for word in slow)]


def test_what_is_no_layer_at_all_is_said_in_every_row():
    class Wrong(nn.Module):
        def __init__(self, d_model):
            super().__init__()

        def forward(self, u, state=None):
            return u

    row = measured("rows do not touch", Wrong)
    assert row.held is False
    assert row.note == "TypeError: forward must return (output, state), got Tensor"

    class Shrinks(Wrong):
        def forward(self, u, state=None):
            return u[:, :1], state

    assert "output must have shape (4, 7, 3)" in measured("rows do not touch", Shrinks).note


def test_difference():
    x = torch.tensor([1.0, -4.0])
    assert difference(x, x) == 0.0
    assert difference(x + 1.0, x) == 0.25
    assert difference({"a": (x, None)}, {"a": (x, None)}) == 0.0
    assert difference(x * torch.nan, x) == float("inf")
    assert difference(torch.zeros(0), torch.zeros(0)) == 0.0
    assert difference(torch.full((1,), 1e-9), torch.zeros(1)) == pytest.approx(1e-6)
    with pytest.raises(ValueError, match=r"shape \(2,\), got \(1,\)"):
        difference(x[:1], x)
    with pytest.raises(ValueError):
        difference((x, x), (x,))
