"""Systems whose state is a matrix: the delta rule, and selective systems of several channels."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import oracle
from execute.systems import Shape, dense_matrix, householder
from execute.test_execute_oracle import BOUND, GRADIENT, close, inputs, shapes
from resolvent import discretize
from resolvent.analysis import implied_attention
from resolvent.execute import choose, run, why_illegal
from resolvent.structure import Diagonal, Householder, Scalar
from resolvent.system import Continuous, Varying

EXECUTIONS = ("recur", "chunk")
FLAGS = st.tuples(st.booleans(), st.booleans(), st.booleans())


def delta(shape: Shape, r: int, gates: int, seed: int, shared: bool = False):
    """Tensors of a delta rule with r writes a step; keys and queries of one head or of every."""
    rng = torch.Generator().manual_seed(seed)
    A = householder((shape.b, shape.length, shape.m), shape.n, r, rng, gates)
    C = torch.randn(shape.b, shape.length, 1 if shared else shape.m, shape.n, generator=rng)
    u = torch.randn(shape.b, shape.length, shape.m, r, shape.p, generator=rng).double()
    keys = A.keys[:, :, :1] if shared else A.keys
    return u, [A.gate, keys, A.beta, C.double()]


def rule(gate, keys, beta, C) -> Varying:
    return Varying.delta_rule(Householder(gate, keys, beta), C)


def slopes(make, tensors, u, h0, resets, lengths, execution):
    """Outputs, and gradients of a random linear function of them by everything."""
    leaves = [x.clone().requires_grad_() for x in (*tensors, u, h0)]
    *fields, u, h0 = leaves
    y, h = run(make(*fields), u, h0, resets=resets, lengths=lengths, execution=execution)
    rng = torch.Generator().manual_seed(7)
    loss = sum((x * torch.randn(x.shape, generator=rng).double()).sum() for x in (y, h))
    return [y, h, *torch.autograd.grad(loss, leaves)]


def agree(make, tensors, u, marks, execution):
    found, expected = (slopes(make, tensors, u, *marks, x) for x in (execution, "loop"))
    for i, (x, y) in enumerate(zip(found, expected, strict=True)):
        close(x.detach(), y.detach().numpy(), BOUND if i < 2 else GRADIENT)


@pytest.mark.parametrize("execution", ["loop", *EXECUTIONS])
@settings(max_examples=10)
@given(shape=shapes, r=st.integers(1, 4), every=st.booleans(), seed=st.integers(0, 99), flags=FLAGS)
def test_delta_rule_is_the_product_of_dense_matrices(execution, shape, r, every, seed, flags):
    u, tensors = delta(shape, r, shape.n if every else 1, seed)
    system = rule(*tensors)
    _, h0, resets, lengths = inputs(shape, seed, False, torch.float64, *flags)
    y, h = run(system, u, h0, resets=resets, lengths=lengths, execution=execution)
    # column j of B is beta_j k_j, turned by the factors after it; all in NumPy
    factors = [
        Householder(torch.ones_like(system.A.gate), system.A.keys[..., j:, :], beta)
        for j, beta in enumerate(system.A.beta[..., j:] for j in range(r))
    ]
    B = np.concatenate([
        (dense_matrix(Householder(x.gate, x.keys[..., 1:, :], x.beta[..., 1:]))
         @ (x.beta[..., 0, None] * x.keys[..., 0, :])[..., None].numpy())
        for x in factors
    ], -1)  # fmt: skip
    C = tensors[-1].numpy()[..., None, :]
    y_ref, h_ref, _ = oracle.simulate(
        dense_matrix(system.A), B, C, None, u.numpy(), None if h0 is None else h0.numpy(),
        resets=resets, lengths=lengths,
    )  # fmt: skip
    close(y, y_ref)
    close(h, h_ref)


@pytest.mark.parametrize("execution", EXECUTIONS)
@pytest.mark.parametrize(("r", "gates", "shared"), [(1, 1, False), (2, 1, True), (3, 5, False)])
@pytest.mark.parametrize("flags", [(True, False, False), (True, True, True)])
def test_gradients_of_the_delta_rule_are_those_of_the_loop(execution, r, gates, shared, flags):
    shape = Shape(2, 70, 2, 5, 3)
    u, tensors = delta(shape, r, gates, 3, shared)
    marks = inputs(shape, 3, False, torch.float64, *flags)[1:]
    agree(rule, tensors, u, marks, execution)


def selective(name: str, shape: Shape, shared: bool):
    """Tensors of a selective system, and what makes it of them."""
    rng = torch.Generator().manual_seed(5)
    m, n = shape.m, shape.n
    A = -torch.rand(*((m,) if name == "scalar" else (m, n)), generator=rng).double()
    maps = (shape.b, shape.length, 1 if shared else m, n)
    B, C = (torch.randn(maps, generator=rng).double() for _ in range(2))
    D = torch.randn(m, shape.p, generator=rng).double()
    dt = torch.rand(shape.b, shape.length, m, 1, generator=rng).double()

    def make(rule):
        def build(A, B, C, D, dt):
            A = Scalar(A, n) if name == "scalar" else Diagonal(A)
            return Continuous(A, B, C, D).select(rule, dt)

        return build

    return [A, B, C, D, dt], make


@pytest.mark.parametrize("execution", EXECUTIONS)
@pytest.mark.parametrize("name", ["scalar", "diagonal"])
@pytest.mark.parametrize("how", [discretize.mixed, discretize.zoh])
@pytest.mark.parametrize("shared", [False, True])
def test_selective_systems_are_the_loop(execution, name, how, shared):
    shape = Shape(2, 70, 3, 4, 2)
    tensors, make = selective(name, shape, shared)
    u, *marks = inputs(shape, 5, False, torch.float64, True, True, True)
    agree(make(how), tensors, u, marks, execution)


def test_no_copy_of_the_input_map_is_scaled(monkeypatch):
    """dt B u^T is computed as B (dt u)^T: the discrete pair is asked for at one step alone."""
    shape, seen = Shape(2, 70, 3, 4, 2), []
    monkeypatch.setattr(
        "resolvent.system.Sampled.pair",
        property(lambda self: seen.append(self.dt.shape[1]) or self.rule(
            self.continuous.A, self.continuous.B[..., None], self.dt)),
    )  # fmt: skip
    tensors, make = selective("scalar", shape, True)
    u = inputs(shape, 5, False, torch.float64, True, True, True)[0]
    for execution in EXECUTIONS:
        run(make(discretize.mixed)(*tensors), u, execution=execution)
    assert set(seen) <= {1}


@pytest.mark.parametrize("execution", ["loop", *EXECUTIONS])
def test_several_writes_of_a_decaying_state(execution):
    """r columns of B and r rows of u are r systems whose outputs add up."""
    shape, r = Shape(2, 30, 2, 4, 3), 3
    rng = torch.Generator().manual_seed(0)
    a = torch.rand(2, 30, 2, generator=rng).double()
    B = torch.randn(2, 30, 2, 4, r, generator=rng).double()
    C = torch.randn(2, 30, 2, 4, generator=rng).double()
    u = torch.randn(2, 30, 2, r, 3, generator=rng).double()
    none = torch.zeros(2, 0).double()
    system = replace(Varying.of(Scalar(a, 4), B, C, none), writes=True)
    parts = [
        run(Varying.of(Scalar(a, 4), B[..., j], C, none), u[..., j, :], execution="loop")
        for j in range(r)
    ]
    y, h = run(system, u, execution=execution)
    torch.testing.assert_close(y, sum(x for x, _ in parts), rtol=0, atol=1e-12)
    torch.testing.assert_close(h, sum(x for _, x in parts), rtol=0, atol=1e-12)
    assert h.shape == (2, *system.state_shape(shape.p))


def test_implied_attention_has_a_matrix_for_every_write():
    shape = Shape(1, 6, 2, 4, 3)
    u, tensors = delta(shape, 2, 1, 0)
    system = rule(*tensors)
    M = implied_attention(system)
    assert M.shape == (1, 2, 2, 6, 6)
    y = torch.einsum("bmrts,bsmrp->btmp", M, u)
    torch.testing.assert_close(y, run(system, u)[0], rtol=0, atol=1e-12)


def test_free_input_maps_do_not_follow_the_delta_rule():
    A = rule(*delta(Shape(), 1, 1, 0)[1]).A
    free = Varying.of(A, torch.zeros(2, 5, 2, 3), torch.zeros(2, 5, 2, 3), torch.zeros(2, 1))
    for execution in EXECUTIONS:
        assert "Varying.delta_rule" in (why_illegal(free, execution) or "")
    assert choose(free, torch.zeros(2, 5, 2, 1)) == "loop"


def test_the_automatic_choice_of_a_matrix_state():
    system = rule(*delta(Shape(), 1, 1, 0)[1])
    u = torch.zeros(2, 5, 2, 1, 1)
    assert choose(system, u) == "recur"
    assert "rank of a product" in (why_illegal(system, "scan") or "")
    assert "same at every step" in (why_illegal(system, "convolve") or "")


@pytest.mark.parametrize("execution", ["loop", *EXECUTIONS])
@pytest.mark.parametrize(("b", "length"), [(0, 3), (2, 0)])
def test_empty_batches_and_sequences(execution, b, length):
    u, tensors = delta(Shape(b, length), 2, 1, 0)
    h0 = torch.randn(b, 2, 3, 1).double()
    y, h = run(rule(*tensors), u, h0, execution=execution)
    assert y.shape == (b, length, 2, 1) and torch.equal(h, h0)
