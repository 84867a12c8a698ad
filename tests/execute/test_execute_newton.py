"""Newton's method finds the trajectory of the loop over steps, or says that it did not."""

import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from resolvent.execute import NewtonOptions, newton, unroll

# what the loop itself loses when a Jacobian's products grow by a few digits
EQUAL = {"rtol": 1e-9, "atol": 1e-9}


class DiagonalGRU(nn.Module):
    """No state sees another one; the larger the weights, the stiffer."""

    def __init__(self, n, scale):
        super().__init__()
        self.a = nn.Parameter(scale * torch.randn(3, n))
        self.into = nn.Linear(n, 3 * n)
        self.block, self.states = 1, n

    def forward(self, h, x):
        z, r, c = self.into(x).chunk(3, -1)
        z, r = torch.sigmoid(self.a[0] * h + z), torch.sigmoid(self.a[1] * h + r)
        return (1 - z) * h + z * torch.tanh(self.a[2] * r * h + c)


class Pairs(DiagonalGRU):
    """Pairs of states that see each other and no one else."""

    def __init__(self, n, scale):
        super().__init__(n, scale)
        self.block, self.states = 2, 2 * n

    def forward(self, h, x):
        c, y = h.unflatten(-1, (-1, 2)).unbind(-1)
        f = torch.sigmoid(self.a[0] * y + self.into(x).chunk(3, -1)[0])
        c = f * c + (1 - f) * torch.tanh(self.a[1] * y + self.into(x).chunk(3, -1)[1])
        return torch.stack([c, torch.sigmoid(self.a[2] * c) * torch.tanh(c)], -1).flatten(-2)


class Full(nn.Module):
    """A cell of PyTorch, whose states all see each other; an LSTM's state is [h, c]."""

    def __init__(self, kind, n, scale):
        super().__init__()
        self.cell = kind(n, n)
        self.kind, self.block, self.states = kind, None, 2 * n if kind is nn.LSTMCell else n
        with torch.no_grad():
            self.cell.weight_hh.mul_(2 * scale)

    def forward(self, h, x):
        if self.kind is nn.LSTMCell:
            return torch.cat(self.cell(x, h.chunk(2, -1)), -1)
        return self.cell(x, h)


KINDS = {
    "diagonal GRU": DiagonalGRU,
    "pairs": Pairs,
    **{
        kind.__name__: lambda n, s, k=kind: Full(k, n, s)
        for kind in (nn.RNNCell, nn.GRUCell, nn.LSTMCell)
    },
}
STIFF = 1.5
"""Scale of weights at which products of Jacobians grow for a while."""


def case(kind, n, b, length, scale, seed):
    torch.manual_seed(seed)
    cell = KINDS[kind](n, scale).double()
    x, h0 = torch.randn(b, length, n).double(), 0.5 * torch.randn(b, cell.states).double()
    return cell, x.requires_grad_(), h0.requires_grad_()


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=8, deadline=None)
@given(
    n=st.integers(1, 5),
    b=st.integers(1, 3),
    length=st.integers(1, 70),
    scale=st.sampled_from([0.3, STIFF]),
    marked=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_newton_is_the_loop(kind, n, b, length, scale, marked, seed):
    cell, x, h0 = case(kind, n, b, length, scale, seed)
    marks = {}
    if marked:
        marks = {
            "resets": torch.rand(b, length) < 0.1,
            "lengths": torch.randint(0, length + 1, (b,)),
        }
    options = NewtonOptions(damping=1.0 if scale == STIFF else 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = newton(cell, x, h0, block=cell.block, options=options, **marks)
    expected = unroll(cell, (x,), h0, **marks)
    weight = [torch.randn(v.shape).double() for v in expected]
    slopes = []
    for h, last in ((found.h, found.last), expected):
        loss = (h * weight[0]).sum() + (last * weight[1]).sum()
        slopes.append(torch.autograd.grad(loss, [x, h0, *cell.parameters()]))
    torch.testing.assert_close((found.h, found.last), expected, **EQUAL)
    scale = max(float(v.abs().max()) for v in slopes[1])
    for slope, known in zip(*slopes, strict=True):
        torch.testing.assert_close(slope / scale, known / scale, **EQUAL)


def matrix(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0)).double()


W, BLOCKS = matrix(6, 6) / 6**0.5, matrix(2, 3, 3) / 3**0.5
NASTY = {  # a cell, and the size of its blocks
    "logistic map": (lambda h, x: 3.9 * h * (1 - h) + 0 * x, 1),
    "chaotic tanh": (lambda h, x: torch.tanh(h @ (4 * W) + x), None),
    "blocks of large weights": (
        lambda h, x: torch.tanh(
            torch.einsum("rmi,moi->rmo", h.view(-1, 2, 3), 4 * BLOCKS).flatten(1) + x
        ),
        3,
    ),
    "stiff relaxation": (lambda h, x: h - 1.9 * (h - torch.cos(x)), 1),
    "strong negative feedback": (lambda h, x: torch.tanh(-8 * h + x), 1),
    "steep switch": (lambda h, x: torch.sigmoid(40 * (h - 0.5)) + 0.1 * x, 1),
    "kinks": (lambda h, x: torch.relu(1.01 * h + x) - 0.9 * torch.relu(-h), 1),
    "growth": (lambda h, x: 1.5 * h + x, 1),
}


@pytest.mark.parametrize("name", NASTY)
def test_nasty_cells_are_the_loop_or_are_said_not_to_be(name):
    cell, block = NASTY[name]
    torch.manual_seed(0)
    x, h0 = torch.randn(1, 50, 6).double(), torch.rand(1, 6).double()
    leaves = [x.requires_grad_(), h0.requires_grad_()]
    expected = unroll(cell, (x,), h0)[0]
    known = torch.autograd.grad(expected.sum(), leaves)
    size, steep = float(expected.abs().max()), max(float(v.abs().max()) for v in known)
    for options in (NewtonOptions(), NewtonOptions(quasi=True, damping=1.0)):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            found = newton(cell, x, h0, block=block, options=options)
        assert bool(said) == (found.status == "sequential")
        torch.testing.assert_close(found.h / size, expected / size, **EQUAL)
        slopes = torch.autograd.grad(found.h.sum(), leaves)
        for slope, right in zip(slopes, known, strict=True):
            torch.testing.assert_close(slope / steep, right / steep, **EQUAL)


def test_slow_convergence_is_not_taken_for_convergence():
    turn = torch.linalg.matrix_exp(0.02 * (W - W.T)) * 0.9999  # the diagonal sees almost all of it
    x, h0 = torch.randn(1, 100, 6).double(), torch.randn(1, 6).double()
    options = NewtonOptions(quasi=True, max_iterations=101)

    def cell(h, x):
        return h @ turn + 0.1 * torch.sin(x)

    found = newton(cell, x, h0, options=options)
    torch.testing.assert_close(found.h, unroll(cell, (x,), h0)[0], **EQUAL)


def test_coupling_that_shows_only_at_the_solution_is_found_before_gradients():
    def cell(h, x):  # no state sees another one until they leave 0
        return torch.tanh(x * h.flip(-1) + 0.5 * h)

    x, h0 = torch.zeros(1, 9, 2).double(), torch.ones(1, 2).double()
    x[:, 0] = 1.0
    with pytest.raises(ValueError, match="entries beside diagonal blocks"):
        newton(cell, x.requires_grad_(), h0, block=1)


def test_a_start_outside_the_bound_is_left_alone():
    cell, x, _ = case("diagonal GRU", 4, 2, 60, 0.3, 1)
    h0 = torch.tensor([[3.0, 0.1, -2.0, 0.0], [0.1, 0.2, 0.3, 0.4]]).double()
    found = newton(cell, x, h0, block=1, options=NewtonOptions(bound=1.0))
    assert found.status == "converged"
    torch.testing.assert_close(found.h, unroll(cell, (x,), h0)[0], **EQUAL)


@pytest.mark.parametrize("kind", KINDS)
def test_a_few_iterations_are_enough(kind):
    cell, x, h0 = case(kind, 4, 2, 300, 0.3, 0)
    found = newton(cell, x, h0, block=cell.block)
    assert found.status == "converged" and found.iterations <= 7 and found.residual < 1e-12


def test_quasi_newton_goes_to_the_same_place():
    cell, x, h0 = case("GRUCell", 6, 2, 100, 0.3, 0)
    full, quasi = newton(cell, x, h0), newton(cell, x, h0, options=NewtonOptions(quasi=True))
    assert full.iterations < quasi.iterations and quasi.status == "converged"
    torch.testing.assert_close(quasi.h, full.h, rtol=1e-8, atol=1e-8)
    slopes = [
        torch.autograd.grad(s.h.square().sum(), list(cell.parameters())) for s in (full, quasi)
    ]
    torch.testing.assert_close(*slopes, rtol=1e-7, atol=1e-7)


def test_as_many_iterations_as_steps_are_enough_for_any_cell():
    cell, x, h0 = case("diagonal GRU", 3, 2, 32, 12.0, 0)
    found = newton(cell, x, h0, block=1, options=NewtonOptions(max_iterations=33))
    assert found.status == "converged"
    torch.testing.assert_close(found.h, unroll(cell, (x,), h0)[0], **EQUAL)


def test_what_does_not_converge_is_computed_step_by_step_and_said():
    cell, x, h0 = case("diagonal GRU", 3, 2, 100, 0.3, 0)
    expected = unroll(cell, (x,), h0)[0]
    with pytest.warns(RuntimeWarning, match="2 of 2 rows did not converge in 1 iterations"):
        found = newton(cell, x, h0, block=1, options=NewtonOptions(max_iterations=1))
    assert found.status == "sequential" and found.converged.tolist() == [False, False]
    torch.testing.assert_close(found.h, expected, **EQUAL)
    slope, known = (torch.autograd.grad(h.sum(), cell.a)[0] for h in (found.h, expected))
    torch.testing.assert_close(slope, known, **EQUAL)


def test_a_row_of_nan_stays_alone():
    cell, x, h0 = case("diagonal GRU", 3, 3, 100, 0.3, 0)
    x = x.detach()
    x[1, 40:] = torch.nan
    found = newton(cell, x, h0, block=1)
    assert found.converged.tolist() == [True, False, True]
    torch.testing.assert_close(found.h, unroll(cell, (x,), h0)[0], equal_nan=True, **EQUAL)


def test_rows_are_the_same_in_any_batch():
    cell, x, h0 = case("diagonal GRU", 3, 3, 100, STIFF, 0)
    together, alone = newton(cell, x, h0, block=1), newton(cell, x[:1], h0[:1], block=1)
    torch.testing.assert_close(together.h[:1], alone.h, rtol=0, atol=1e-14)


def test_a_bound_keeps_iterates_in_the_box():
    cell, x, h0 = case("diagonal GRU", 8, 2, 300, STIFF, 1)
    found = newton(cell, x, h0.clamp(-1, 1), block=1, options=NewtonOptions(bound=1.0))
    assert found.status == "converged" and found.h.detach().abs().max() <= 1


def test_several_inputs_go_to_the_cell_one_by_one():
    def cell(h, a, b):
        return torch.tanh(a * h + b)

    a, b, h0 = (
        torch.rand(2, 40, 3).double(),
        torch.randn(2, 40, 3).double(),
        torch.zeros(2, 3).double(),
    )
    found = newton(cell, (a, b), h0, block=1)
    torch.testing.assert_close(found.h, unroll(cell, (a, b), h0)[0], **EQUAL)


@pytest.mark.parametrize("b, length", [(0, 5), (2, 0), (2, 1)])
def test_empty_and_short(b, length):
    cell, x, h0 = case("GRUCell", 3, b, length, 0.3, 0)
    found = newton(cell, x, h0)
    assert found.h.shape == (b, length, 3)
    torch.testing.assert_close(found.last, found.h[:, -1] if length else h0)


def test_a_wrong_declaration_is_refused():
    cell, x, h0 = case("GRUCell", 4, 2, 9, 0.3, 0)
    with pytest.raises(ValueError, match="entries beside diagonal blocks of 1"):
        newton(cell, x, h0, block=1)
    with pytest.raises(ValueError, match="a divisor of the 4 states, got 3"):
        newton(cell, x, h0, block=3)


@pytest.mark.parametrize(
    "options", [{"tolerance": 0.0}, {"max_iterations": -1}, {"damping": -1.0}, {"bound": 0.0}]
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))}: expected"):
        NewtonOptions(**options)
