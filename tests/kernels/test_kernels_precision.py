"""Long series and float32: nothing overflows, and no more is lost than by the plain loop."""

from __future__ import annotations

import math

import pytest
import torch

from kernels.kernel_cases import every_backend
from resolvent.kernels import diagonal_scan, diagonal_ssm, using, vandermonde


def plain_loop(a, b, c, u):
    """The recurrence one step at a time, in the dtype of its arguments."""
    h = torch.zeros(u.shape[0], *a.shape, dtype=a.dtype)
    y = []
    for t in range(u.shape[1]):
        h = a * h + b * u[:, t, :, None]
        y.append((c * h).sum(-1))
    y = torch.stack(y, dim=1)
    return (2 * y.real if y.is_complex() else y), h


def outputs_and_gradients(op, tensors):
    leaves = [x.detach().requires_grad_() for x in tensors]
    y, h = op(*leaves)
    weight = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
    return [y.detach(), h.detach(), *torch.autograd.grad((y * weight).sum(), leaves)]


def s4d_lin(m: int, n: int, dt: float) -> list[torch.Tensor]:
    """a, b, c of S4D-Lin under zero-order hold, in float32."""
    A = torch.complex(torch.full((n,), -0.5), math.pi * torch.arange(n))
    steps = dt * torch.exp(torch.rand(m, 1))
    a = torch.exp(A * steps)
    return [a, (a - 1) / A * (1 + 0j), torch.randn(m, n, dtype=torch.complex64)]


@every_backend
@pytest.mark.parametrize("dt", [1e-4, 1e-3, 1e-2, 1e-1])
def test_float32_errs_at_most_twice_as_much_as_the_plain_loop(backend, dt):
    """Twice is the bar for every kernel; rounded powers of `a` alone would miss it by far."""
    tensors = [*s4d_lin(8, 8, dt), torch.randn(1, 2048, 8)]
    wide = {torch.float32: torch.float64, torch.complex64: torch.complex128}
    exact = outputs_and_gradients(diagonal_ssm, [x.to(wide[x.dtype]) for x in tensors])
    with using(backend):
        fast = outputs_and_gradients(diagonal_ssm, tensors)
    plain = outputs_and_gradients(plain_loop, tensors)
    for ours, theirs, truth in zip(fast, plain, exact, strict=True):
        assert (ours - truth).norm() <= 2 * (theirs - truth).norm()


@every_backend
@pytest.mark.parametrize("batch", [1, 4])
def test_gradients_of_slow_modes_err_half_as_much_as_the_plain_loop(backend, batch):
    """Four rows take gradients by the kernel. Found are 0.2 to 0.45 of the loop's error (baseline,
    which fuses no products, errs most); sums of single terms and carries rounded twice gave .56."""
    torch.manual_seed(0)
    tensors = [*s4d_lin(16, 32, 1e-3), torch.randn(batch, 2048, 16)]
    wide = {torch.float32: torch.float64, torch.complex64: torch.complex128}
    exact = outputs_and_gradients(diagonal_ssm, [x.to(wide[x.dtype]) for x in tensors])
    with using(backend):
        fast = outputs_and_gradients(diagonal_ssm, tensors)
    plain = outputs_and_gradients(plain_loop, tensors)
    for ours, theirs, truth in list(zip(fast, plain, exact, strict=True))[2:5]:
        assert (ours - truth).norm() <= 0.5 * (theirs - truth).norm()


@every_backend
def test_a_million_steps_stay_finite(backend):
    length = 2**20 if backend != "torch" else 2**16
    u = torch.ones(1, length, 2)
    # endless memory, a fast oscillation without decay, decays at the edge of what float32 holds
    a = torch.tensor([[1, -1, 1j], [1e-30, 1e-10, 0]], dtype=torch.complex64)
    leaves = [x.requires_grad_() for x in (a, torch.ones_like(a), torch.ones_like(a), u)]
    with using(backend):
        y, h_last = diagonal_ssm(*leaves)
        grads = torch.autograd.grad(y.mean(), leaves)
        states, last = diagonal_scan(a[0, :2].real.detach(), u.detach())
    assert all(bool(torch.isfinite(torch.view_as_real(x)).all()) for x in (h_last, *grads[:3]))
    assert bool(torch.isfinite(y).all()) and bool(torch.isfinite(grads[3]).all())
    assert y[0, -1, 0].item() == pytest.approx(2 * length, rel=1e-6)
    assert y[0, -1, 1].item() == pytest.approx(6, rel=1e-6)
    assert states[0, :, 0].equal(torch.arange(1.0, length + 1))
    assert last[0].tolist() == [length, 0]


@every_backend
@pytest.mark.parametrize("size", [1e-12, 3e-11, 1e-9, 1e-5])
def test_strong_decays_keep_their_bits(backend, size):
    """Fourth powers of these are subnormal in float32, or zero."""
    a = torch.full((1, 1), size, dtype=torch.complex64)
    one, u = torch.ones_like(a), torch.randn(1, 40, 1)
    with using(backend):
        y, _ = diagonal_ssm(a, one, one, u)
    double = torch.complex128
    exact, _ = plain_loop(a.to(double), one.to(double), one.to(double), u.double())
    assert (y - exact).abs().max() <= 1e-6


@pytest.mark.parametrize("length", [300, 10_000])
def test_gradients_of_a_kernel_do_not_lose_more_where_it_is_longer(length):
    """A few roundings to float32, whose unit is 6e-8: the sums over time are taken in float64."""
    a, _, w = s4d_lin(16, 8, 1e-3)
    gK = torch.randn(16, length)

    def gradients(a, w, gK):
        leaves = [x.requires_grad_() for x in (a, w)]
        return torch.autograd.grad(vandermonde(*leaves, length), leaves, gK)

    found = gradients(a.clone(), w.clone(), gK)
    exact = gradients(*(x.to(torch.complex128) for x in (a, w)), gK.double())
    for ours, truth in zip(found, exact, strict=True):
        assert (ours - truth).norm() < 4e-7 * truth.norm()
