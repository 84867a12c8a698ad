"""The fused cells, on every backend, against their definition and PyTorch's own cells."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from kernels.kernel_cases import (
    ACCURACY,
    BACKENDS,
    Problem,
    every_backend,
    largest_difference,
    marks,
    real,
    run,
    strided,
)
from resolvent.kernels import cell_scan, using
from resolvent.kernels.cells import cell_reference
from resolvent.kernels.cells_torch import CELLS

# around the block of 64 kept states
LENGTHS = [0, 1, 2, 5, 64, 65, 131]


def op_of(cell, op=cell_scan):
    """The op as a function of tensors alone."""

    def call(*arguments):
        return op(cell, *arguments)

    return call


def tensors(cell, b, l, m, n, scale=1.0):
    about, d = CELLS[cell], m * n
    x, weight = real(b, l, about.gates * d), scale * real(about.gates, m, n, n) / max(n, 1) ** 0.5
    h0 = real(b, about.states * d)
    if cell == "slstm":  # a state that a memory can have
        h0[:, 2 * d : 3 * d] = h0[:, 2 * d : 3 * d].abs() + 0.1
    return x, weight, 0.5 * real(about.gates * d), h0


@st.composite
def problems(draw: st.DrawFn) -> tuple[str, Problem]:
    cell = draw(st.sampled_from(list(CELLS)))
    b, l = draw(st.sampled_from([0, 1, 3, 5])), draw(st.sampled_from(LENGTHS))
    m, n = draw(st.sampled_from([(1, 1), (1, 4), (1, 19), (2, 3), (3, 8), (1, 37), (4, 2)]))
    torch.manual_seed(draw(st.integers(0, 2**16)))
    x, weight, bias, h0 = tensors(cell, b, l, m, n)
    given = (x, weight, *(v if draw(st.booleans()) else None for v in (bias, h0)))
    if draw(st.booleans()):
        given = tuple(v if v is None else strided(v) for v in given)
    return cell, Problem(given, *draw(marks(b, l)))


@every_backend
@settings(max_examples=20, deadline=None)
@given(case=problems())
def test_a_cell_is_its_definition(backend, case):
    cell, problem = case
    with using(backend):
        fast = run(op_of(cell), problem)
    assert largest_difference(fast, run(op_of(cell, cell_reference), problem)) < ACCURACY


@every_backend
@pytest.mark.parametrize(
    ("cell", "theirs"), [("elman", nn.RNN), ("lstm", nn.LSTM), ("gru", nn.GRU)]
)
def test_one_head_is_the_cell_of_torch(backend, cell, theirs):
    torch.manual_seed(0)
    layer = theirs(5, 7, batch_first=True).double()
    u = real(3, 70, 5).requires_grad_()
    leaves = [u, *layer.parameters()]
    into, weight, bias_in, bias = layer.parameters()
    expected, _ = layer(u)
    x = torch.nn.functional.linear(u, into, bias_in)
    with using(backend):
        found, _ = cell_scan(cell, x, weight.view(-1, 1, 7, 7), bias)
        slopes = [torch.autograd.grad(h.square().sum(), leaves) for h in (found, expected)]
    assert largest_difference([found], [expected]) < ACCURACY
    assert largest_difference(*map(list, slopes)) < ACCURACY


@every_backend
@pytest.mark.parametrize("cell", CELLS)
def test_padding_and_dropped_states_may_hold_anything(backend, cell):
    torch.manual_seed(0)
    x, weight, bias, h0 = tensors(cell, 3, 9, 2, 5)
    lengths, resets = torch.tensor([0, 5, 9]), torch.zeros(3, 9, dtype=torch.bool)
    resets[1:, 0] = True
    dirty, wild = x.clone(), h0.clone()
    dirty[torch.arange(9) >= lengths[:, None]] = torch.nan
    wild[1:] = torch.nan
    with using(backend):
        clean = run(op_of(cell), Problem((x, weight, bias, h0), resets, lengths))
        found = run(op_of(cell), Problem((dirty, weight, bias, wild), resets, lengths))
    assert largest_difference(found, clean) == 0


@every_backend
@pytest.mark.parametrize("cell", CELLS)
def test_float32_errs_at_most_twice_as_much_as_the_loop(backend, cell):
    torch.manual_seed(0)
    given = tuple(v.float() for v in tensors(cell, 1, 256, 1, 32))
    exact, plain = (
        run(op_of(cell, cell_reference), Problem(tuple(map(kind, given)), None, None))
        for kind in (torch.Tensor.double, torch.Tensor.float)
    )
    with using(backend):
        fast = run(op_of(cell), Problem(given, None, None))
    for ours, theirs, truth in zip(fast, plain, exact, strict=True):
        assert (ours - truth).norm() <= 2 * (theirs - truth).norm() + 1e-6 * truth.norm()


@pytest.mark.parametrize("backend", dict.fromkeys([BACKENDS[0], "torch"]))
def test_citizens_of_pytorch(backend):
    torch.manual_seed(0)
    leaves = [v.requires_grad_() for v in tensors("lstm", 2, 67, 2, 3)]
    marked = (torch.rand(2, 67) < 0.1, torch.tensor([67, 41]))
    with using(backend):
        torch.library.opcheck(torch.ops.resolvent.lstm_scan.default, (*leaves, *marked, False))


@every_backend
@pytest.mark.parametrize("cell", CELLS)
def test_half_precision_is_computed_in_single(backend, cell):
    torch.manual_seed(0)
    half = [v.bfloat16() for v in tensors(cell, 2, 7, 2, 3)]
    with using(backend):
        found, expected = (
            cell_scan(cell, *given)[0] for given in (half, [v.float() for v in half])
        )
    assert found.dtype == torch.float32 and torch.equal(found, expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cell": "rnn"}, "cell is 'rnn': expected one of elman, lstm"),
        ({"x": (2, 9, 24)}, r"x has shape \(2, 9, 24\): expected \(b, l, 18\)"),
        ({"weight": (4, 2, 3, 3)}, r"expected \(g, m, n, n\), g = 3"),
        ({"bias": (6,)}, r"bias has shape \(6,\): expected \(18,\)"),
        ({"h0": (2, 12)}, "h0 has shape"),
        ({"lengths": (3,)}, "lengths has shape"),
    ],
)
def test_misfits_are_named(change, message):
    shapes = {"x": (2, 9, 18), "weight": (3, 2, 3, 3), "bias": (18,)} | change
    cell = shapes.pop("cell", "gru")
    with pytest.raises(ValueError, match=message):
        cell_scan(cell, **{name: torch.zeros(shape) for name, shape in shapes.items()})
