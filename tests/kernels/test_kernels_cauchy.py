"""Cauchy products on every backend, against their definition and as a citizen of PyTorch."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.kernel_cases import (
    ACCURACY,
    WIDTHS,
    Problem,
    every_backend,
    largest_difference,
    normal,
    run,
    strided,
)
from resolvent.kernels import cauchy, using
from resolvent.kernels.cauchy import cauchy_reference

POINTS = [0, 1, 2, 3, 7, 8, 13, 64, 255, 256, 257, 521]


def circle(f: int) -> torch.Tensor:
    """Points on the unit circle."""
    angle = torch.rand(f, dtype=torch.float64) * 7
    return torch.polar(torch.ones_like(angle), angle)


def poles(m: int, n: int, nearest: float) -> torch.Tensor:
    """Within the disc, no closer than that to its rim; some of them real."""
    size = (1 - nearest) * torch.rand(m, n, dtype=torch.float64).sqrt()
    return torch.polar(size, 6 * torch.rand(m, n, dtype=torch.float64) * (torch.rand(m, n) < 0.9))


@st.composite
def problems(draw: st.DrawFn) -> tuple[Problem, torch.Tensor]:
    m, k = draw(st.sampled_from([0, 1, 2, 5])), draw(st.sampled_from([0, 1, 2, 3, 4, 5, 7, 9]))
    n, f = draw(st.sampled_from(WIDTHS)), draw(st.sampled_from(POINTS))
    torch.manual_seed(draw(st.integers(0, 2**16)))
    tensors = (poles(m, n, 0.05), normal(m, k, n, is_complex=True), circle(f))
    if draw(st.booleans()):
        tensors = tuple(strided(x) for x in tensors)
    return Problem(tensors[:2], None, None), tensors[2]


def at(s: torch.Tensor, op):
    """The op as a problem is run: with marks of rows that it has not, and two outputs."""
    return lambda values, w, *_: (op(values, w, s), -op(values, w, s))


@every_backend
@settings(max_examples=40)
@given(problem=problems())
def test_it_is_its_definition(backend, problem):
    problem, s = problem
    with using(backend):
        fast = run(at(s, cauchy), problem)
    assert largest_difference(fast, run(at(s, cauchy_reference), problem)) < ACCURACY


@every_backend
@pytest.mark.parametrize("nearest", [1e-3, 1e-6])
def test_nothing_is_lost_close_to_a_pole(backend, nearest):
    """Beside both poles of a pair in float32, one product at a time, since sums may cancel."""
    torch.manual_seed(0)
    angle = torch.cat([torch.tensor([0.0, 1e-6, 1e-3]), 3 * torch.rand(29)])
    values = torch.polar(torch.tensor(1 - nearest), angle)[:, None]
    w = torch.randn(32, 1, 1, dtype=torch.complex64)
    s = torch.polar(torch.ones(32), angle + nearest * torch.randn(32))
    exact = cauchy_reference(*(x.to(torch.complex128) for x in (values, w, s)))
    plain = cauchy_reference(values, w, s)
    with using(backend):
        found = cauchy(values, w, s)
    # an error of a few units in the last place of what the two poles give apart
    size = w[..., 0, None].abs() / (s - values[..., None]).abs()
    size = size + w[..., 0, None].abs() / (s - values.conj()[..., None]).abs()
    assert ((found - exact).abs() <= 8 * 2**-24 * size).all()
    assert (found - exact).norm() <= 2 * (plain - exact).norm() + 2**-24 * exact.norm()


@every_backend
def test_opcheck_and_gradcheck(backend):
    values, w = poles(3, 5, 0.1).requires_grad_(), normal(3, 4, 5, is_complex=True).requires_grad_()
    s = circle(19)
    with using(backend):
        torch.library.opcheck(torch.ops.resolvent.cauchy.default, (values, w, s))
        assert torch.autograd.gradcheck(lambda values, w: cauchy(values, w, s), (values, w))


@every_backend
def test_it_compiles_and_exports(backend):
    class Module(torch.nn.Module):
        def forward(self, values, w, s):
            return torch.view_as_real(cauchy(values, w, s)).square().sum()

    values, w, s = poles(3, 5, 0.1), normal(3, 4, 5, is_complex=True), circle(19)
    with using(backend):
        expected = Module()(values, w, s)
        assert torch.allclose(torch.compile(Module(), backend="aot_eager")(values, w, s), expected)
        program = torch.export.export(Module(), (values, w, s))
        assert torch.equal(program.module()(values, w, s), expected)


def test_dtypes_are_promoted():
    values, w, s = poles(2, 3, 0.1), torch.randn(2, 1, 3), circle(4)
    assert cauchy(values.to(torch.complex64), w, s).dtype == torch.complex128
    assert cauchy(*(x.to(torch.complex64) for x in (values, w, s))).dtype == torch.complex64


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": torch.zeros(2, 3)}, "expected .m, n., complex"),
        ({"w": torch.zeros(2, 3)}, r"w has shape \(2, 3\)"),
        ({"w": torch.zeros(2, 1, 4)}, "n = 3"),
        ({"s": torch.zeros(2, 2)}, r"s has shape \(2, 2\)"),
        ({"s": torch.zeros(2, requires_grad=True)}, "requires_grad True"),
    ],
)
def test_misfits_are_named(change, message):
    given = {"values": torch.zeros(2, 3) + 0j, "w": torch.zeros(2, 1, 3), "s": torch.zeros(2)}
    with pytest.raises(ValueError, match=message):
        cauchy(**given | change)
