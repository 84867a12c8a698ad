"""Every legal (structure, execution, invariance) against the oracle; the others, their reasons."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import oracle
from execute.systems import STRUCTURES, Shape, matrices, state, system
from resolvent.contract import tolerance
from resolvent.execute import EXECUTIONS, choose, run, why_illegal

BOUND = tolerance(torch.float64, "value").bound
GRADIENT = tolerance(torch.float64, "gradient").bound
KINDS = ("invariant", "varying", "varying A, B")

COMBINATIONS = [
    (name, kind, mimo, execution)
    for name in STRUCTURES
    for kind in KINDS
    for mimo in (False, True)
    for execution in EXECUTIONS
]


def legal(name, kind, mimo, execution):
    return why_illegal(system(name, kind, mimo, Shape(), 0), execution) is None


LEGAL = [x for x in COMBINATIONS if legal(*x)]
ILLEGAL = [x for x in COMBINATIONS if not legal(*x)]

shapes = st.builds(
    Shape,
    b=st.integers(1, 3),
    length=st.sampled_from([1, 2, 3, 7, 31, 63, 64, 65, 130]),
    m=st.integers(1, 3),
    n=st.integers(1, 3),
    p=st.integers(1, 3),
)


def inputs(shape, seed, mimo, dtype, with_state, with_resets, with_lengths):
    rng = torch.Generator().manual_seed(seed + 1)
    u = torch.randn(shape.b, shape.length, shape.m, shape.p, generator=rng).double()
    columns = 1 if mimo else shape.p
    h0 = torch.randn(shape.b, shape.m, shape.n, columns, generator=rng, dtype=dtype)
    resets = torch.rand(shape.b, shape.length, generator=rng) < 0.25
    lengths = torch.randint(0, shape.length + 1, (shape.b,), generator=rng)
    return (
        u,
        h0 if with_state else None,
        resets if with_resets else None,
        lengths if with_lengths else None,
    )


def close(found, expected, bound=BOUND):
    assert tuple(found.shape) == expected.shape
    scale = max(1.0, np.abs(expected).max(initial=0.0))
    assert np.abs(np.asarray(found) - expected).max(initial=0.0) <= bound * scale


@pytest.mark.parametrize(("name", "kind", "mimo", "execution"), LEGAL)
@settings(max_examples=8)
@given(
    shape=shapes,
    seed=st.integers(0, 1000),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_execution_is_the_oracle(name, kind, mimo, execution, shape, seed, flags):
    discrete = system(name, kind, mimo, shape, seed)
    u, h0, resets, lengths = inputs(shape, seed, mimo, discrete.A.dtype, *flags)
    y, h = run(discrete, u, h0, resets=resets, lengths=lengths, execution=execution)
    y_ref, h_ref, _ = oracle.simulate(
        *matrices(discrete),
        u.numpy(),
        None if h0 is None else state(h0),
        resets=resets,
        lengths=lengths,
        mimo=mimo,
    )
    close(y, y_ref)
    close(state(h), h_ref)


def leaves(discrete):
    """Every tensor of the system that a gradient can reach."""
    A, B = discrete.transition.pair
    values = [x for x in vars(A).values() if isinstance(x, torch.Tensor)]
    return [*values, B, discrete.output, discrete.D]


def slopes(discrete, u, h0, resets, lengths, execution):
    wanted = [x.requires_grad_() for x in (u, h0, *leaves(discrete)) if x is not None]
    y, h = run(discrete, u, h0, resets=resets, lengths=lengths, execution=execution)
    rng = torch.Generator().manual_seed(7)
    loss = (y * torch.randn(y.shape, generator=rng).double()).sum()
    weight = torch.randn(h.shape, generator=rng, dtype=h.dtype)
    loss = loss + (h * weight.conj()).sum().real
    return torch.autograd.grad(loss, wanted)


@pytest.mark.parametrize(
    ("name", "kind", "mimo", "execution"), [x for x in LEGAL if x[3] != "loop"]
)
@pytest.mark.parametrize("flags", [(True, False, False), (True, True, True)])
def test_gradients_are_those_of_the_loop(name, kind, mimo, execution, flags):
    for shape in (Shape(2, 7, 2, 3, 2), Shape(2, 70, 1, 2, 1)):
        discrete = system(name, kind, mimo, shape, 3)
        case = inputs(shape, 3, mimo, discrete.A.dtype, *flags)
        found, expected = (slopes(discrete, *case, x) for x in (execution, "loop"))
        for x, y in zip(found, expected, strict=True):
            close(x, y.numpy(), GRADIENT)


@pytest.mark.parametrize("name", STRUCTURES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mimo", [False, True])
def test_gradients_of_the_loop_are_finite_differences(name, kind, mimo):
    shape = Shape(2, 3, 1, 2, 2)
    discrete = system(name, kind, mimo, shape, 5)
    u, h0, resets, lengths = inputs(shape, 5, mimo, discrete.A.dtype, True, True, True)

    def loop(u, h0, *_):
        return run(discrete, u, h0, resets=resets, lengths=lengths, execution="loop")

    # the leaves are perturbed in place, so the system need not be rebuilt
    wanted = [x.requires_grad_() for x in (u, h0, *leaves(discrete))]
    assert torch.autograd.gradcheck(loop, wanted, fast_mode=True)


MATRIX = "systems that vary|one vector a head|decay by real numbers or follow Varying.delta_rule"
REASONS = {
    "convolve": "same at every step",
    "chunk": MATRIX,
    "scan": "rank of a product",
    "recur": MATRIX,
}


@pytest.mark.parametrize(("name", "kind", "mimo", "execution"), ILLEGAL)
def test_illegal_pairs_raise_their_reason(name, kind, mimo, execution):
    shape = Shape()
    u = torch.zeros(shape.b, shape.length, shape.m, shape.p, dtype=torch.float64)
    message = f"execution: '{execution}' is illegal here: .*({REASONS[execution]})"
    with pytest.raises(ValueError, match=message):
        run(system(name, kind, mimo, shape, 0), u, execution=execution)


def test_unknown_executions_are_named():
    with pytest.raises(ValueError, match="'fft' is unknown; choose one of auto, loop, recur"):
        run(
            system("real", "invariant", False, Shape(), 0), torch.zeros(2, 5, 2, 1), execution="fft"
        )


@pytest.mark.parametrize("name", STRUCTURES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mimo", [False, True])
@pytest.mark.parametrize("length", [0, 1, 2, 1000])
def test_the_automatic_choice_is_legal(name, kind, mimo, length):
    discrete = system(name, kind, mimo, Shape(), 0)
    for device in ("cpu", "meta"):
        u = torch.empty(2, length, 2, 1, device=device)
        assert why_illegal(discrete, choose(discrete, u)) is None


@pytest.mark.parametrize(("name", "kind", "mimo", "execution"), LEGAL)
@pytest.mark.parametrize(("b", "length"), [(0, 3), (2, 0), (0, 0)])
def test_empty_batches_and_sequences(name, kind, mimo, execution, b, length):
    shape = Shape(b, length, 2, 3, 2)
    discrete = system(name, kind, mimo, shape, 0)
    u, h0, resets, lengths = inputs(shape, 0, mimo, discrete.A.dtype, True, True, True)
    for timing in ({}, {"resets": resets, "lengths": lengths}):
        y, h = run(discrete, u, h0, execution=execution, **timing)
        assert y.shape == u.shape and h.shape == h0.shape
        assert torch.equal(h, h0)


@pytest.mark.parametrize(("name", "kind", "mimo", "execution"), LEGAL)
def test_padding_may_hold_anything(name, kind, mimo, execution):
    shape = Shape(3, 70, 2, 2, 1)
    discrete = system(name, kind, mimo, shape, 2)
    u, h0, resets, _ = inputs(shape, 2, mimo, discrete.A.dtype, True, True, True)
    lengths = torch.tensor([0, 33, 70])
    expected = run(discrete, u, h0, resets=resets, lengths=lengths, execution=execution)
    poisoned = u.clone()
    poisoned[torch.arange(70) >= lengths[:, None]] = torch.nan
    found = run(discrete, poisoned, h0, resets=resets, lengths=lengths, execution=execution)
    assert torch.equal(found[0], expected[0]) and torch.equal(found[1], expected[1])
