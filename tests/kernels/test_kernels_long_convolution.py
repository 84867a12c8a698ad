"""The long convolution on every backend, against its definition and as a citizen of PyTorch."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.kernel_cases import (
    ACCURACY,
    LENGTHS,
    WIDTHS,
    Problem,
    every_backend,
    largest_difference,
    real,
    run,
    strided,
)
from resolvent.kernels import long_convolution, using
from resolvent.kernels.long_convolution import long_convolution_reference


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    batch, length = draw(st.sampled_from([0, 1, 2, 3, 5])), draw(st.sampled_from(LENGTHS))
    m, taps = draw(st.sampled_from(WIDTHS)), draw(st.sampled_from(LENGTHS))
    torch.manual_seed(draw(st.integers(0, 2**16)))
    tensors = (real(batch, length, m), real(m, taps))
    if draw(st.booleans()):
        tensors = tuple(strided(x) for x in tensors)
    return Problem(tensors, None, None)


def twice(op):
    """The op as a problem is run: with marks of rows that it has not, and two outputs."""
    return lambda u, K, *_: (op(u, K), -op(u, K))


@every_backend
@settings(max_examples=40)
@given(problem=problems())
def test_it_is_its_definition(backend, problem):
    with using(backend):
        fast = run(twice(long_convolution), problem)
    assert largest_difference(fast, run(twice(long_convolution_reference), problem)) < ACCURACY


@every_backend
def test_many_channels_and_steps_are_rounded_as_sums_of_all_steps(backend):
    torch.manual_seed(1)
    problem = Problem((real(3, 1500, 70), real(70, 1500)), None, None)
    with using("torch"):
        exact = run(twice(long_convolution), problem)
    with using(backend):
        found = run(twice(long_convolution), problem.to({torch.float64: torch.float32}))
    for x, y in zip(found, exact, strict=True):
        assert (x - y).norm() < 1e-6 * y.norm()  # a few units in the last place of float32


@every_backend
def test_rows_do_not_touch_each_other(backend):
    u, K = real(3, 33, 5), real(5, 33)
    with using(backend):
        alone = long_convolution(u[1:2], K)
        u[0], u[2] = torch.nan, 1e20
        assert torch.equal(long_convolution(u, K)[1:2], alone)


@every_backend
def test_opcheck_and_gradcheck(backend):
    u, K = real(3, 70, 3).requires_grad_(), real(3, 70).requires_grad_()
    with using(backend):
        torch.library.opcheck(torch.ops.resolvent.long_convolution.default, (u, K))
        some = u[:, :9].detach().requires_grad_(), K[:, :5].detach().requires_grad_()
        assert torch.autograd.gradcheck(long_convolution, some)


@every_backend
def test_dtypes_are_promoted(backend):
    u, K = torch.randn(2, 9, 3), torch.randn(3, 4)
    with using(backend):
        assert long_convolution(u.bfloat16(), K).dtype == torch.float32
        assert long_convolution(u, K.double()).dtype == torch.float64


@pytest.mark.parametrize(
    ("u", "K", "message"),
    [
        (torch.zeros(2, 3), torch.zeros(3, 2), r"u has shape \(2, 3\)"),
        (torch.zeros(2, 3, 4), torch.zeros(4, 2, dtype=torch.complex64), "real"),
        (torch.zeros(2, 3, 4), torch.zeros(3, 2), "m = 4"),
    ],
)
def test_misfits_are_named(u, K, message):
    with pytest.raises(ValueError, match=message):
        long_convolution(u, K)
