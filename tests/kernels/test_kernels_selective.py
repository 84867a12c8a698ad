"""The selective scan and the short convolution, on every backend, against their definitions."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.kernel_cases import (
    ACCURACY,
    LENGTHS,
    Problem,
    every_backend,
    largest_difference,
    marks,
    real,
    run,
    strided,
)
from resolvent.kernels import Selective, selective_scan, short_convolution, using
from resolvent.kernels.convolution import convolution_reference
from resolvent.kernels.selective import selective_reference


def selective(op):
    """The op as a function of tensors alone, in a fixed order."""

    def call(u, dt, A, B, C, D, bias, gate, h0, resets=None, lengths=None):
        return op(Selective(A, B, C, dt, D, bias), u, h0, resets, lengths, gate=gate)

    return call


def convolution(op, silu):
    def call(x, weight, bias, tail, resets, lengths):
        return op(x, weight, bias, tail, resets, lengths, silu=silu)

    return call


@st.composite
def selective_problems(draw: st.DrawFn) -> Problem:
    batch, length = draw(st.sampled_from([0, 1, 2, 3])), draw(st.sampled_from(LENGTHS))
    groups, each = draw(st.sampled_from([(1, 0), (1, 1), (1, 17), (1, 37), (2, 3), (3, 17)]))
    m, n = groups * each, draw(st.sampled_from([0, 1, 2, 3, 7, 16, 19]))
    torch.manual_seed(draw(st.integers(0, 2**16)))
    series = [real(batch, length, m) for _ in range(3)]
    A = -4 * torch.rand(m, n, dtype=torch.float64)
    A[torch.rand(m, n) < 0.1] *= -0.1  # unstable, but not for long
    D, bias, gate, h0 = (
        x if draw(st.booleans()) else None for x in (real(m), real(m), series[2], real(batch, m, n))
    )
    dt = series[1] if bias is not None else 0.2 * series[1].abs()
    maps = (real(batch, length, groups, n) for _ in range(2))
    tensors = (series[0], dt, A, *maps, D, bias, gate, h0)
    if draw(st.booleans()):
        tensors = tuple(x if x is None else strided(x) for x in tensors)
    return Problem(tensors, *draw(marks(batch, length)))


@st.composite
def convolution_problems(draw: st.DrawFn) -> Problem:
    batch, length = draw(st.sampled_from([0, 1, 2, 3])), draw(st.sampled_from(LENGTHS))
    d, w = draw(st.sampled_from([0, 1, 3, 16, 37])), draw(st.sampled_from([1, 2, 3, 4, 7]))
    torch.manual_seed(draw(st.integers(0, 2**16)))
    bias, tail = (x if draw(st.booleans()) else None for x in (real(d), real(batch, w - 1, d)))
    tensors = (real(batch, length, d), real(d, w), bias, tail)
    if draw(st.booleans()):
        tensors = tuple(x if x is None else strided(x) for x in tensors)
    return Problem(tensors, *draw(marks(batch, length)))


@every_backend
@settings(max_examples=40)
@given(problem=selective_problems())
def test_selective_scan_is_its_definition(backend, problem):
    with using(backend):
        fast = run(selective(selective_scan), problem)
    assert largest_difference(fast, run(selective(selective_reference), problem)) < ACCURACY


@every_backend
@settings(max_examples=30)
@given(problem=convolution_problems(), silu=st.booleans())
def test_short_convolution_is_its_definition(backend, problem, silu):
    with using(backend):
        fast = run(convolution(short_convolution, silu), problem)
    assert (
        largest_difference(fast, run(convolution(convolution_reference, silu), problem)) < ACCURACY
    )
