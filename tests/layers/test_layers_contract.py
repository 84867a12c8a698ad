"""The whole contract, on every registered layer and in both directions of time."""

from functools import partial

import pytest
import torch
import torch._inductor.config
from hypothesis import given, settings
from hypothesis import strategies as st

from layers.cases import CAUSAL, PLAIN, SELECTIVE, WHOLE
from resolvent.contract import PROMISES, NotApplicable, Subject
from resolvent.execute import blocks
from resolvent.kernels.backend import available, using

# what takes seconds is tried in one layer of each class, and in one of the two-directional ones
QUICK_ONLY = set(WHOLE) - {"both ways S4D"} | {
    "S4D-PTD, 5 states",
    "S4, 5 states, zoh",
    "S5-PTD, two blocks",
    "LinearAttention",
    "RetNet",
    "Attention",
    "OrientedMamba",
}

SUBJECTS = {name: Subject(make) for name, make in {**PLAIN, **WHOLE}.items()}
"""One subject a layer for all promises, so that its weights are made once."""

SELECTIVE_NAMES = {name for name, make in PLAIN.items() if make.func in SELECTIVE}

SLOW = ("finite over a million steps", "compiles in one piece", "forward exports", "step exports")

NEEDS_A_KERNEL = {
    "kernel is the impulse response",
    "output is the dense simulation",
    "dt scales the step size",
}
NOT_APPLICABLE_WITHOUT_A_STATE = {
    "forward is the loop of step",
    "any split carries the state",
    "no state is the initial state",
    "everything at once",
    "state is that of the last real step",
    "causal",
    "gradients are those of the loop",
    "state never grows",
    "state is a value",
    "step exports",
    "stream is real arithmetic",
    *NEEDS_A_KERNEL,
}


def excused(name: str) -> set[str]:
    """Names of the promises that say nothing about a layer."""
    if not SUBJECTS[name].causal:
        return NOT_APPLICABLE_WITHOUT_A_STATE
    if SUBJECTS[name].grows:
        return NEEDS_A_KERNEL | {"state never grows", "finite over a million steps"}
    if name == "LongConv":
        return {"dt scales the step size"}
    return NEEDS_A_KERNEL if name in SELECTIVE_NAMES else set()


@pytest.mark.parametrize(
    "promise",
    [
        pytest.param(x, marks=pytest.mark.slow if x.name in SLOW else (), id=x.name)
        for x in PROMISES.values()
    ],
)
@pytest.mark.parametrize("name", SUBJECTS)
def test_promise(name, promise):
    if name in QUICK_ONLY and promise.name in SLOW:
        pytest.skip("tried in another layer of the same class")
    try:
        error = promise.worst(SUBJECTS[name])
    except NotApplicable as reason:
        assert promise.name in excused(name), reason
        return
    assert error <= promise.tolerance.bound, promise.meaning


@pytest.mark.parametrize("name", CAUSAL)
def test_everything_at_once_over_several_blocks(name, monkeypatch):
    # varying systems are discretised 512 steps at a time: here after every 50th
    monkeypatch.setattr(blocks, "STEPS", 50)
    promise = PROMISES["everything at once"]
    assert promise.check(SUBJECTS[name], 2, 130) <= promise.tolerance.bound


RANDOM_SHAPES = (
    "everything at once",
    "packed is separate",
    "padded is separate",
    "any split carries the state",
)


@pytest.mark.parametrize("promise", RANDOM_SHAPES)
@pytest.mark.parametrize("name", [x for x in PLAIN if x not in SELECTIVE_NAMES])
@settings(max_examples=5)
@given(
    seed=st.integers(0, 10_000),
    d_model=st.integers(1, 5),
    d_state=st.integers(1, 40),
    b=st.integers(1, 4),
    length=st.integers(1, 80),
)
def test_promise_at_random_shapes(name, promise, seed, d_model, d_state, b, length):
    make = PLAIN[name]
    subject = Subject(
        partial(make, d_state=d_state * make.keywords.get("blocks", 1)), d_model, seed
    )
    found = PROMISES[promise]
    assert found.check(subject, b, length) <= found.tolerance.bound


@pytest.mark.slow
@pytest.mark.parametrize("name", ["S4D", "S5"])
def test_inductor_code_gives_the_same_numbers(name):
    layer = PLAIN[name](4)
    compiled = torch.compile(layer, fullgraph=True)
    u, dt = torch.randn(2, 70, 4), torch.rand(2, 70) + 0.5
    # torch keys its cache of compiled code by the graph, not by the operators behind it
    with torch._inductor.config.patch(force_disable_caches=True):
        for timing in ({}, {"dt": dt, "resets": dt > 1.4, "lengths": torch.tensor([70, 3])}):
            found, expected = (f(u, **timing)[0] for f in (compiled, layer))
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "promise",
    ["everything at once", "gradients are those of the loop", "padded is separate", "any size"],
)
@pytest.mark.parametrize("name", ["S4D", "S5", "LRU"])
@pytest.mark.parametrize("backend", ["torch", *available()])
def test_promise_on_every_backend(backend, name, promise):
    found = PROMISES[promise]
    with using(backend):
        assert found.worst(SUBJECTS[name]) <= found.tolerance.bound
