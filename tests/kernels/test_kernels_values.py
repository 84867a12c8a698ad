"""Values and gradients of the diagonal kernels, on every backend, against their definition."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings

from kernels.kernel_cases import (
    ACCURACY,
    Problem,
    decays,
    every_backend,
    largest_difference,
    normal,
    real,
    run,
    scan_problems,
    ssm_problems,
)
from resolvent.kernels import diagonal_scan, diagonal_ssm, using, vandermonde, zoh
from resolvent.kernels.diagonal import scan_reference, ssm_reference, vandermonde_reference


def skipping(op):
    """The op with d as the last of its tensors."""
    return lambda a, b, c, u, h0, d, *marks: op(a, b, c, u, h0, *marks, d=d)


@every_backend
@settings(max_examples=40)
@given(problem=ssm_problems())
def test_ssm_is_its_definition(backend, problem):
    with using(backend):
        fast = run(skipping(diagonal_ssm), problem)
    assert largest_difference(fast, run(skipping(ssm_reference), problem)) < ACCURACY


@every_backend
@settings(max_examples=40)
@given(problem=scan_problems())
def test_scan_is_its_definition(backend, problem):
    with using(backend):
        fast = run(diagonal_scan, problem)
    assert largest_difference(fast, run(scan_reference, problem)) < ACCURACY


@every_backend
@pytest.mark.parametrize("is_complex", [False, True])
def test_vandermonde_is_its_definition(backend, is_complex):
    torch.manual_seed(4)
    for m, n, length in [(3, 5, 0), (0, 4, 7), (2, 0, 7), (1, 1, 1), (9, 7, 67), (17, 3, 300)]:
        a, w = decays(m, n, is_complex=is_complex), normal(m, n, is_complex=is_complex)
        problem = Problem((a, w), None, None)
        ops = (vandermonde, vandermonde_reference)
        with using(backend):
            found, expected = (run(_of_length(op, length), problem) for op in ops)
        assert largest_difference(found, expected) < ACCURACY


def _of_length(op, length):
    """The op as a problem is run: with marks of rows that it has not, and two outputs."""

    def both(a, w, *_):
        K = op(a, w, length)
        return K, 2 * K

    return both


@every_backend
def test_without_modes_only_the_skip_is_left(backend):
    u, d, none = real(2, 150, 3), real(3), normal(3, 0, is_complex=True)
    with using(backend):
        found = run(skipping(diagonal_ssm), Problem((none, none, none, u, None, d), None, None))
    assert torch.equal(found[0], d * u)
    expected = run(skipping(ssm_reference), Problem((none, none, none, u, None, d), None, None))
    assert largest_difference(found, expected) < ACCURACY


@every_backend
def test_long_rows_cross_blocks_with_resets_and_lengths(backend):
    torch.manual_seed(3)
    m, n, length = 5, 6, 700
    resets = torch.rand(3, length) < 0.01
    tensors = (
        0.99 * decays(m, n, is_complex=True),
        normal(m, n, is_complex=True),
        normal(m, n, is_complex=True),
        normal(3, length, m, is_complex=False),
        normal(3, m, n, is_complex=True),
    )
    problem = Problem(tensors, resets, torch.tensor([700, 512, 333]))
    with using(backend):
        fast = run(diagonal_ssm, problem)
    assert largest_difference(fast, run(ssm_reference, problem)) < ACCURACY


@every_backend
@pytest.mark.parametrize("is_complex", [False, True])
def test_gradients_by_the_convolution_kernel(backend, is_complex):
    """Sizes at which the native backward pass takes them, where it is not asked for the state."""
    torch.manual_seed(5)
    b, length, m, n = 5, 257, 3, 33
    a, c = decays(m, n, is_complex=is_complex), normal(m, n, is_complex=is_complex)
    tensors = (a, c.flip(0), c, real(b, length, m), real(m))
    for lengths in (None, torch.tensor([257, 256, 100, 0, 1])):
        if lengths is not None:
            tensors[3][1, 256:] = torch.nan  # padding may hold anything
        grads = []
        for name in (backend, "torch"):
            leaves = [x.clone().requires_grad_() for x in tensors]
            with using(name):
                y, _ = diagonal_ssm(*leaves[:4], None, None, lengths, d=leaves[4])
                weight = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y)
                grads.append([y.detach(), *torch.autograd.grad((y * weight).sum(), leaves)])
        assert largest_difference(*grads) < ACCURACY


@every_backend
@pytest.mark.parametrize("is_complex", [False, True])
def test_step_sizes_hold_a_continuous_system(backend, is_complex):
    """As if its pair had been made by `zoh`; by states, and by the convolution kernel."""
    torch.manual_seed(6)
    for b, length, m, n in [(1, 70, 3, 5), (5, 257, 3, 33), (2, 9, 2, 0)]:
        values = normal(m, n, is_complex=is_complex)
        values = torch.complex(-values.real.abs(), values.imag) if is_complex else -values.abs()
        B, c = (normal(m, n, is_complex=is_complex) for _ in range(2))
        for dt in (torch.rand(m, 1).double(), torch.rand(m, n).double()):
            tensors = (values, B, c, real(b, length, m), dt)

            def pair(values, B, c, u, dt):
                a, s = zoh(values, dt)
                return diagonal_ssm(a, s * B, c, u)

            def held(values, B, c, u, dt):
                return diagonal_ssm(values, B, c, u, dt=dt)

            results = []
            for op in (held, pair):
                leaves = [x.clone().requires_grad_() for x in tensors]
                with using(backend):
                    y, h = op(*leaves)
                    loss = (y * torch.linspace(-1, 1, y.numel()).view_as(y)).sum()
                    results.append([y.detach(), h.detach(), *torch.autograd.grad(loss, leaves)])
            assert largest_difference(*results) < ACCURACY


@every_backend
def test_only_one_output_has_a_gradient(backend):
    a, b, c = (normal(3, 4, is_complex=True) / 3 for _ in range(3))
    u = normal(2, 70, 3, is_complex=False)
    for which in (0, 1):
        leaves = [x.clone().requires_grad_() for x in (a, b, c, u)]
        grads = []
        for op in (diagonal_ssm, ssm_reference):
            with using(backend):
                out = op(*leaves)[which]
                loss = out.real.sum() if out.is_complex() else out.sum()
                grads.append(
                    torch.autograd.grad(loss, leaves, materialize_grads=True, allow_unused=True)
                )
        assert largest_difference(*grads) < ACCURACY
    x = u.clone().requires_grad_()
    with using(backend):
        (gx,) = torch.autograd.grad(diagonal_scan(u[0, 0] / 3, x)[1].sum(), x)
    (expected,) = torch.autograd.grad(scan_reference(u[0, 0] / 3, x)[1].sum(), x)
    assert largest_difference([gx], [expected]) < ACCURACY


@every_backend
def test_lazy_conjugates_count_as_their_values(backend):
    tensors = [x.conj() for x in (normal(3, 4, is_complex=True) / 3 for _ in range(3))]
    u = normal(2, 9, 3, is_complex=True).conj().imag  # a lazy negative
    with using(backend):
        lazy = diagonal_ssm(*tensors, u)
        resolved = diagonal_ssm(*(x.resolve_conj() for x in tensors), u.resolve_neg())
    assert all(x.is_conj() for x in tensors) and u.is_neg()
    assert largest_difference(list(lazy), list(resolved)) == 0


@every_backend
def test_dtypes_are_promoted(backend):
    u = torch.randn(2, 20, 3)
    a = torch.rand(3, 2)
    with using(backend):
        for dtype in (torch.bfloat16, torch.float16):
            y, h = diagonal_ssm(a, a, a, u.to(dtype))
            assert (y.dtype, h.dtype) == (torch.float32, torch.float32)
            assert torch.equal(y, diagonal_ssm(a, a, a, u.to(dtype).float())[0])
        y, h = diagonal_ssm(a, a.to(torch.complex64), a, u)
        assert (y.dtype, h.dtype) == (torch.float32, torch.complex64)
        y, h = diagonal_ssm(a, a, a, u.double())
        assert (y.dtype, h.dtype) == (torch.float64, torch.float64)
        h, _ = diagonal_scan(a[0].to(torch.complex64), u[..., :2])
        assert h.dtype == torch.complex64


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"u": torch.zeros(2, 3)}, r"u has shape \(2, 3\)"),
        ({"u": torch.zeros(2, 3, 4, dtype=torch.complex64)}, "real"),
        ({"a": torch.zeros(3, 2)}, r"m = 4"),
        ({"b": torch.zeros(4, 3)}, "b has shape"),
        ({"c": torch.zeros(4)}, "c has shape"),
        ({"u": torch.zeros(2, 3, 4, dtype=torch.int64)}, "dtype torch.int64"),
        ({"d": torch.zeros(3)}, r"d has shape .*expected \(m,\) = \(4,\)"),
        ({"h0": torch.zeros(4, 2)}, "h0 has shape"),
        ({"resets": torch.zeros(2, 3)}, "torch.bool"),
        ({"lengths": torch.zeros(3, dtype=torch.int64)}, "lengths has shape"),
        ({"lengths": torch.zeros(2)}, "torch.int64"),
    ],
)
def test_misfits_are_named(change, message):
    fits = {name: torch.zeros(4, 2) for name in "abc"} | {"u": torch.zeros(2, 3, 4)}
    with pytest.raises(ValueError, match=message):
        diagonal_ssm(**fits | change)


def test_misfits_of_a_scan_are_named():
    x = torch.zeros(2, 3, 4)
    with pytest.raises(ValueError, match="x has shape"):
        diagonal_scan(torch.zeros(4), x[0])
    with pytest.raises(ValueError, match=r"broadcasts to x's \(2, 3, 4\)"):
        diagonal_scan(torch.zeros(3), x)
    with pytest.raises(ValueError, match="h0 has shape"):
        diagonal_scan(torch.zeros(4), x, torch.zeros(4))
