"""Zero-order hold on every backend, against its definition and as a citizen of PyTorch."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.kernel_cases import WIDTHS, every_backend, normal, strided
from resolvent.bench.loops import hold
from resolvent.kernels import using, zoh
from resolvent.kernels.zoh_ops import reference

ROUNDING = 1e-12
"""Of float64: a few units in the last place of e^z, times |z| up to some hundred."""


def values(*shape: int, is_complex: bool) -> torch.Tensor:
    """In the closed left half-plane, of sizes from 1e-9 to 1e3; some of them zero."""
    size = 10 ** torch.empty(shape, dtype=torch.float64).uniform_(-9, 3)
    size = torch.where(torch.rand(shape) < 0.1, 0, size)
    if not is_complex:
        return -size
    return torch.polar(size, (0.5 + torch.rand(shape, dtype=torch.float64)) * torch.pi)


@st.composite
def problems(draw: st.DrawFn) -> tuple[torch.Tensor, torch.Tensor]:
    m, n = draw(st.sampled_from([0, 1, 2, 5, 70])), draw(st.sampled_from(WIDTHS))
    torch.manual_seed(draw(st.integers(0, 2**16)))
    full = values(m, n, is_complex=draw(st.booleans()))
    shape = draw(st.sampled_from([(m, 1), (m, n), (1, n), (3, m, 1)]))
    dt = 10 ** torch.empty(shape, dtype=torch.float64).uniform_(-3, 0)
    return (strided(full), strided(dt)) if draw(st.booleans()) else (full, dt)


def through_structure(x: torch.Tensor, dt: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The rule as it is written over structures, whose gradients are right near 0."""
    shape = torch.broadcast_shapes(x.shape, dt.shape)
    return hold(x.expand(shape), dt.expand(shape)).tensor_split(2)


def gradients(op, x: torch.Tensor, dt: torch.Tensor) -> tuple[torch.Tensor, ...]:
    leaves = [t.detach().clone().requires_grad_() for t in (x, dt)]
    outputs = op(*leaves)
    torch.manual_seed(0)
    weights = [normal(*y.shape, is_complex=y.is_complex()) for y in outputs]
    return *outputs, *torch.autograd.grad(outputs, leaves, weights)


@every_backend
@settings(max_examples=40)
@given(problem=problems())
def test_it_is_its_definition(backend, problem):
    with using(backend):
        found = zoh(*problem)
    for y, expected in zip(found, reference(*problem), strict=True):
        torch.testing.assert_close(y, expected, rtol=ROUNDING, atol=1e-300)


@every_backend
@settings(max_examples=40)
@given(problem=problems())
def test_it_has_the_gradients_of_the_rule(backend, problem):
    """To within rounding of the terms, of size one and more, that cancel in the rule."""
    with using(backend):
        found = gradients(zoh, *problem)
    for y, expected in zip(found, gradients(through_structure, *problem), strict=True):
        scale = 1 + expected.detach().abs().max().item() if expected.numel() else 1
        torch.testing.assert_close(y, expected, rtol=1e-10, atol=ROUNDING * scale)


@every_backend
def test_float32_is_rounded_once(backend):
    """Nothing but the result is rounded: within one unit in the last place of float64's."""
    torch.manual_seed(0)
    x, dt = values(37, 20, is_complex=True).to(torch.complex64), torch.rand(37, 1) / 10
    with using(backend):
        single = zoh(x, dt)
    wide = reference(x.to(torch.complex128), dt.double())
    # PyTorch rounds z itself, which turns e^z by as many units as |z| has radians
    units = 1 if backend != "torch" else 200
    for y, expected in zip(single, wide, strict=True):
        error = torch.view_as_real(y.to(torch.complex128) - expected).abs().amax(-1)
        assert (error <= units * torch.finfo(torch.float32).eps * expected.abs() + 1e-37).all()


@every_backend
def test_it_is_a_citizen_of_pytorch(backend):
    torch.manual_seed(0)
    inputs = values(5, 7, is_complex=True).requires_grad_(), torch.rand(5, 1).double()
    with using(backend):
        torch.library.opcheck(torch.ops.resolvent.zoh.default, inputs)


def test_arguments_that_do_not_fit_are_named():
    x = values(3, 4, is_complex=True)
    with pytest.raises(ValueError, match=r"dt has dtype torch.complex128: expected real"):
        zoh(x, x)
    with pytest.raises(ValueError, match=r"shapes \(3, 4\) and \(2, 1\): they do not broadcast"):
        zoh(x, torch.ones(2, 1))
    with pytest.raises(ValueError, match="dtype torch.int64"):
        zoh(x, torch.ones(3, 1, dtype=torch.int64))
