"""The fused system with dense maps: values, gradients and manners on every backend."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.kernel_cases import (
    ACCURACY,
    LENGTHS,
    Problem,
    decays,
    every_backend,
    largest_difference,
    marks,
    normal,
    real,
    run,
    strided,
)
from resolvent.kernels import diagonal_mimo, using
from resolvent.kernels.backend import available
from resolvent.kernels.mimo import mimo_reference

OPS = torch.ops.resolvent


@st.composite
def mimo_problems(draw: st.DrawFn) -> Problem:
    batch, length = draw(st.sampled_from([0, 1, 2, 3])), draw(st.sampled_from(LENGTHS))
    n, p = draw(st.sampled_from([1, 2, 5, 8, 19])), draw(st.sampled_from([1, 3, 4, 8, 21]))
    is_complex, skips = draw(st.booleans()), draw(st.booleans())
    q = p if skips else draw(st.sampled_from([1, 2, 9, 16]))
    torch.manual_seed(draw(st.integers(0, 2**16)))
    states = 2 * n if is_complex else n
    h0 = normal(batch, n, is_complex=is_complex) if draw(st.booleans()) else None
    a, b, c = decays(n, is_complex=is_complex), real(states, p), real(q, states)
    tensors = (a, b, c, real(batch, length, p), h0, real(q) if skips else None)
    if draw(st.booleans()):
        tensors = tuple(x if x is None else strided(x) for x in tensors)
    return Problem(tensors, *draw(marks(batch, length)))


def skipping(op):
    """The op with d as the last of its tensors."""
    return lambda a, b, c, u, h0, d, *marks: op(a, b, c, u, h0, *marks, d=d)


@every_backend
@settings(max_examples=40)
@given(problem=mimo_problems())
def test_it_is_its_definition(backend, problem):
    with using(backend):
        fast = run(skipping(diagonal_mimo), problem)
    assert largest_difference(fast, run(skipping(mimo_reference), problem)) < ACCURACY


@every_backend
def test_opcheck_and_gradcheck(backend):
    torch.manual_seed(0)
    a = (0.9 * decays(3, is_complex=True)).requires_grad_()
    b, c, d = (real(*x).requires_grad_() for x in ((6, 2), (2, 6), (2,)))
    u, h0 = real(2, 67, 2).requires_grad_(), normal(2, 3, is_complex=True).requires_grad_()
    resets, lengths = torch.rand(2, 67) < 0.1, torch.tensor([67, 41])
    with using(backend):
        parts = torch.view_as_real(a.detach()).mT.contiguous().requires_grad_()
        inputs = (parts, b.mT, c.mT, d, u, None, None, None, True)
        torch.library.opcheck(OPS.diagonal_mimo.default, inputs)
        inputs = (a, b, c, u[:, :9], h0, resets[:, :9], lengths // 8)
        assert torch.autograd.gradcheck(lambda *x: diagonal_mimo(*x, d=d), inputs)


def test_threads_do_not_change_a_bit():
    torch.manual_seed(1)
    a = torch.polar(torch.rand(40), 3 * torch.rand(40))
    tensors = (a, torch.randn(80, 33), torch.randn(33, 80), torch.randn(5, 150, 33), None, None)
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            results.append(run(skipping(diagonal_mimo), Problem(tensors, None, None)))
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(x, y) for x, y in zip(results[0], other, strict=True))


@pytest.mark.parametrize("backend", [*available()])
def test_float32_errs_at_most_twice_as_much_as_the_plain_loop(backend):
    torch.manual_seed(2)
    a = torch.polar(1 - 10 ** (-4 * torch.rand(16)), 3 * torch.rand(16))
    tensors = [a, torch.randn(32, 24) / 5, torch.randn(24, 32) / 5, torch.randn(2, 600, 24)]
    wide = {torch.float32: torch.float64, torch.complex64: torch.complex128}
    exact = Problem((*tensors, None, None), None, None).to(wide)
    plain = Problem((*tensors, None, None), None, None)
    with using(backend):
        fast = run(skipping(diagonal_mimo), plain)
    rows = zip(fast, run(skipping(mimo_reference), plain), strict=True)
    for (ours, theirs), truth in zip(rows, run(skipping(mimo_reference), exact), strict=True):
        assert (ours - truth).norm() <= 2 * (theirs - truth).norm()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a": torch.zeros(3, 2)}, r"a has shape \(3, 2\): expected \(n,\)"),
        ({"b": torch.zeros(6, 3)}, r"b has shape .* expected \(N, p\) = \(6, 2\)"),
        ({"b": torch.zeros(6, 2, dtype=torch.complex64)}, "b is complex"),
        ({"c": torch.zeros(2, 3)}, r"c has shape .* N = 6"),
        ({"d": torch.zeros(3)}, "d has shape"),
        ({"c": torch.zeros(4, 6), "d": torch.zeros(4)}, "as many outputs as inputs"),
        ({"u": torch.zeros(2, 3)}, "u has shape"),
        ({"h0": torch.zeros(2, 3)}, "a state of a's kind"),
        ({"resets": torch.zeros(2, 4)}, "torch.bool"),
    ],
)
def test_misfits_are_named(change, message):
    fits = {
        "a": torch.zeros(3, dtype=torch.complex64),
        "b": torch.zeros(6, 2),
        "c": torch.zeros(2, 6),
        "u": torch.zeros(2, 4, 2),
    }
    with pytest.raises(ValueError, match=message):
        diagonal_mimo(**fits | change)
