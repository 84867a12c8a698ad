"""Matrix states and the delta rule, on every backend, against their definition."""

from __future__ import annotations

import pytest
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
from resolvent.kernels import delta_rule, matrix_scan, using
from resolvent.kernels.matrix import matrix_reference


def op(a, k, v, q, beta, h0, resets=None, lengths=None, chunked=False):
    """Both ops in the order of the definition's arguments."""
    rest = (q, h0, resets, lengths)
    if beta is not None:
        return delta_rule(a, k, v, beta, *rest, chunked=chunked)
    return matrix_scan(a, k[:, :, :, 0], v[:, :, :, 0], *rest, chunked=chunked)


def tensors(b, l, m, g, r, n, p, rows, delta, state):
    """Decays within [-0.5, 1], some of them 0 or 1; keys of length 1; beta in [0, 2]."""
    a = (torch.rand(b, l, m, n if rows else 1, dtype=torch.float64) * 1.7 - 0.5).clamp(max=1)
    a = torch.where(torch.rand(a.shape) < 0.05, 0, a)
    k = torch.nn.functional.normalize(real(b, l, g, r, n), dim=-1)
    beta = 2 * torch.rand(b, l, m, r, dtype=torch.float64) if delta else None
    h0 = real(b, m, n, p) if state else None
    return a, k, real(b, l, m, r, p), real(b, l, g, n), beta, h0


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    b, l = draw(st.sampled_from([0, 1, 2])), draw(st.sampled_from(LENGTHS))
    g, heads = draw(st.sampled_from([(1, 0), (1, 1), (1, 3), (2, 2), (3, 1)]))
    delta = draw(st.booleans())
    r = draw(st.sampled_from([1, 2, 3, 4, 5, 9])) if delta else 1
    # around the widths of vectors and of pieces of work
    n, p = draw(st.sampled_from([0, 1, 3, 8, 17])), draw(st.sampled_from([0, 1, 5, 16, 33, 70]))
    torch.manual_seed(draw(st.integers(0, 2**16)))
    found = tensors(b, l, g * heads, g, r, n, p, draw(st.booleans()), delta, draw(st.booleans()))
    if draw(st.booleans()):
        found = tuple(x if x is None else strided(x) for x in found)
    return Problem(found, *draw(marks(b, l)))


@every_backend
@settings(max_examples=40)
@given(problem=problems())
def test_op_is_its_definition(backend, problem):
    with using(backend):
        fast = run(op, problem)
    assert largest_difference(fast, run(matrix_reference, problem)) < ACCURACY


@settings(max_examples=20)
@given(problem=problems())
def test_chunks_are_the_definition(problem):
    fast = run(lambda *x: op(*x, chunked=True), problem)
    assert largest_difference(fast, run(matrix_reference, problem)) < ACCURACY


@every_backend
def test_one_decay_for_all_rows_needs_no_axis(backend):
    torch.manual_seed(0)
    a, k, v, q, beta, _ = tensors(2, 9, 2, 1, 2, 3, 4, False, True, False)
    with using(backend):
        assert torch.equal(op(a[..., 0], k, v, q, beta, None)[0], op(a, k, v, q, beta, None)[0])


@every_backend
@pytest.mark.parametrize("groups", [(1, 4), (2, 1), (4, 2)])
def test_keys_and_queries_have_groups_of_their_own(backend, groups):
    torch.manual_seed(0)
    a, _, v, _, _, _ = tensors(2, 9, 4, 1, 1, 3, 4, False, False, False)
    k, q = (real(2, 9, g, 3) for g in groups)
    with using(backend):
        grouped = matrix_scan(a, k, v[:, :, :, 0], q)
        k, q = (x.repeat_interleave(4 // g, 2) for x, g in zip((k, q), groups, strict=True))
        full = matrix_scan(a, k, v[:, :, :, 0], q)
    assert largest_difference(list(grouped), list(full)) < 1e-15


@every_backend
@pytest.mark.parametrize("delta", [False, True])
def test_shared_decays_may_be_of_any_size(backend, delta):
    """Kernels may hold a state divided by decays; those that vanish or grow must not be lost."""
    torch.manual_seed(0)
    _, *given = tensors(2, 64, 2, 2, 2 if delta else 1, 8, 5, False, delta, True)
    a = torch.tensor([0, 1e-200, 1e-30, 0.01, 0.9, -1, 1.5, 30], dtype=torch.float64)
    a = a[torch.randint(len(a), (2, 64, 2, 1))]
    problem = Problem((a, *given), None, None)
    with using(backend):
        fast = run(op, problem)
    assert largest_difference(fast, run(matrix_reference, problem)) < ACCURACY


@every_backend
def test_a_rank_one_write_is_recalled(backend):
    """What was written under a key of length 1 with beta 1 is what the key reads, at any length."""
    torch.manual_seed(0)
    a, k, v, _, beta, h0 = tensors(1, 80, 1, 1, 1, 8, 5, False, True, True)
    with using(backend):
        y, _ = delta_rule(a, k, v, torch.ones_like(beta), k[:, :, :, 0], h0)
    assert largest_difference([y], [v[:, :, :, 0]]) < 1e-14


@every_backend
def test_a_reflection_counts_parity_over_a_million_steps(backend):
    """beta = 2 turns the sign, beta = 0 keeps it: exact, since nothing rounds (fact of Z2)."""
    length = 2**20 if backend != "torch" else 2**12
    torch.manual_seed(0)
    bits = torch.rand(length) < 0.5
    one = torch.ones(1, length, 1, 1, 1)
    beta = 2.0 * bits.view(1, length, 1, 1)
    with using(backend):
        y, _ = delta_rule(one[..., 0, 0], one, 0 * one, beta, one[..., 0], torch.ones(1, 1, 1, 1))
    assert torch.equal(y.flatten(), 1.0 - 2 * (bits.cumsum(0) % 2))


@every_backend
@pytest.mark.parametrize("delta", [False, True])
def test_a_reset_forgets_even_what_is_not_finite(backend, delta):
    torch.manual_seed(0)
    *given, _ = tensors(2, 9, 2, 1, 1, 3, 4, False, delta, False)
    resets = torch.zeros(2, 9, dtype=torch.bool)
    resets[:, 0] = True
    h0 = torch.full((2, 2, 3, 4), torch.nan, dtype=torch.float64)
    with using(backend):
        found = op(*given, h0, resets)
    assert largest_difference(list(found), list(op(*given, None))) < 1e-14


@every_backend
@pytest.mark.parametrize("delta", [False, True])
def test_padding_may_hold_anything(backend, delta):
    torch.manual_seed(0)
    lengths = torch.tensor([0, 5, 9])
    *given, h0 = tensors(3, 9, 2, 1, 2 if delta else 1, 3, 4, True, delta, True)
    poisoned = [x if x is None else x.clone() for x in given]
    for x in poisoned:
        if x is not None:
            x[torch.arange(9) >= lengths[:, None]] = torch.nan
    with using(backend):
        clean, dirty = (run(op, Problem((*x, h0), None, lengths)) for x in (given, poisoned))
    assert largest_difference(dirty, clean) == 0


@every_backend
@pytest.mark.parametrize("delta", [False, True])
def test_float32_errs_at_most_twice_as_much_as_the_plain_loop(backend, delta):
    torch.manual_seed(0)
    given = [
        x if x is None else x.float() for x in tensors(1, 512, 2, 2, 1, 32, 32, False, delta, True)
    ]
    given[0] = 1 - 0.01 * torch.rand_like(given[0])
    exact = run(
        matrix_reference, Problem(tuple(x if x is None else x.double() for x in given), None, None)
    )
    plain = run(matrix_reference, Problem(tuple(given), None, None))
    with using(backend):
        fast = run(op, Problem(tuple(given), None, None))
    for ours, theirs, truth in zip(fast, plain, exact, strict=True):
        assert (ours - truth).norm() <= 2 * (theirs - truth).norm() + 1e-6 * truth.norm()


@every_backend
@pytest.mark.parametrize("delta", [False, True])
def test_citizens_of_pytorch(backend, delta):
    torch.manual_seed(0)
    given = tensors(2, 70, 2, 1, 2, 3, 5, True, delta, True)
    leaves = [x if x is None else x.requires_grad_() for x in given]
    marked = (torch.rand(2, 70) < 0.1, torch.tensor([70, 41]))
    call = torch.ops.resolvent.matrix_scan.default
    with using(backend):
        torch.library.opcheck(call, (*leaves, *marked, False))
        torch.library.opcheck(call, (*leaves[:5], None, None, None, True))
        assert torch.autograd.gradcheck(call, (*leaves, *marked, True), fast_mode=True)
        half = op(*(x if x is None else x.detach().bfloat16() for x in given[:4]), *given[4:])
    assert half[0].dtype == torch.float64 and half[1].dtype == torch.float64


@every_backend
def test_half_precision_is_computed_in_single(backend):
    torch.manual_seed(0)
    half = [
        x if x is None else x.bfloat16() for x in tensors(2, 20, 2, 1, 1, 3, 4, False, True, True)
    ]
    with using(backend):
        found = op(*half)
        expected = op(*(x.float() for x in half))
    assert all(
        torch.equal(x, y) and x.dtype == torch.float32 for x, y in zip(found, expected, strict=True)
    )


FITS = {
    "a": (2, 9, 4),
    "k": (2, 9, 2, 3, 5),
    "v": (2, 9, 4, 3, 6),
    "beta": (2, 9, 4, 3),
    "q": (2, 9, 2, 5),
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": (2, 9, 2, 5)}, "k has shape .* without r only in matrix_scan"),
        ({"v": (2, 9, 4, 6), "beta": (2, 9, 4)}, "v has shape .* without r only"),
        ({"k": (2, 8, 2, 3, 5)}, "equal b, l and r"),
        ({"k": (2, 9, 3, 3, 5)}, "k has 3 groups: expected a divisor of v's 4 heads"),
        ({"q": (2, 9, 3, 5)}, "q has 3 groups"),
        ({"q": (2, 9, 2, 6)}, r"q has shape \(2, 9, 2, 6\)"),
        ({"a": (2, 9, 4, 6)}, r"a has shape \(2, 9, 4, 6\)"),
        ({"beta": (2, 9, 4)}, "beta has shape"),
        ({"h0": (2, 4, 6, 5)}, "h0 has shape"),
    ],
)
def test_misfits_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        delta_rule(**{name: torch.zeros(shape) for name, shape in (FITS | change).items()})


def test_complex_numbers_are_refused():
    a, k, v, q, beta, _ = tensors(1, 2, 1, 1, 1, 2, 2, False, True, False)
    with pytest.raises(ValueError, match="expected real ones"):
        delta_rule(a, k.to(torch.complex128), v, beta, q)
