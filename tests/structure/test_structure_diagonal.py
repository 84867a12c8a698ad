import math

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from oracle import real_diagonal
from resolvent.structure import Diagonal
from resolvent.structure.diagonal import scalar_phi1
from structure.suite import StructureSuite, close, each


class TestRealDiagonal(StructureSuite):
    structure = Diagonal

    def make(self, rng, lead, n):
        return Diagonal(torch.randn(*lead, n, generator=rng).double() * 0.6)

    def twin(self, A):
        return A.values.detach().numpy()[..., None] * np.eye(A.n)

    def test_affine_with_a_scale_a_state(self, A, rng):
        scale = torch.rand(*self.lead, A.n, generator=rng).double()
        close(A.affine(scale, 0.0).dense(), scale.numpy()[..., None] * self.twin(A))


class TestComplexDiagonal(StructureSuite):
    structure = Diagonal

    def make(self, rng, lead, n):
        return Diagonal(torch.randn(*lead, n, generator=rng, dtype=torch.complex128) * 0.6)

    def twin(self, A):
        return each(lambda row: real_diagonal(row[0]), A.values.detach().numpy()[..., None, :])


def series(z: complex, derivative: bool = False) -> complex:
    """phi1, or its derivative, by the power series at 0: exact to the last digit for |z| < 1."""
    terms = 30
    if derivative:
        return sum(k * z ** (k - 1) / math.factorial(k + 1) for k in range(terms, 0, -1))
    return sum(z**k / math.factorial(k + 1) for k in range(terms, -1, -1))


SMALL = [0.0, 1e-300, 1e-16, -1e-12, 1e-8, -1e-5, 1e-3, 0.0999999, -0.1, 0.1000001, -0.9]


@pytest.mark.parametrize("z", [*SMALL, 1e-9j, -1e-7 + 1e-7j, 0.07 - 0.07j, -0.5 + 0.5j])
def test_phi1_and_its_slope_keep_all_digits_near_zero(z):
    dtype = torch.complex128 if isinstance(z, complex) else torch.float64
    x = torch.tensor(z, dtype=dtype, requires_grad=True)
    value = scalar_phi1(x)
    # torch conjugates the gradient of a holomorphic function
    (slope,) = torch.autograd.grad(value, x, torch.ones_like(value))
    assert abs(complex(value.detach()) - series(z)) <= 1e-15
    assert abs(complex(slope.conj()) - series(z, derivative=True)) <= 2e-14


@pytest.mark.parametrize("z", [-3.0, -50.0, -1e4, -1e300, -2.0 + 40.0j, -1e5 + 1e5j])
def test_phi1_far_from_zero(z):
    dtype = torch.complex128 if isinstance(z, complex) else torch.float64
    x = torch.tensor(z, dtype=dtype, requires_grad=True)
    value = scalar_phi1(x)
    (slope,) = torch.autograd.grad(value, x, torch.ones_like(value))
    expected = (np.exp(z) - 1) / z
    assert abs(complex(value.detach()) - expected) <= 1e-14 * abs(expected)
    assert torch.isfinite(slope.real if slope.is_complex() else slope).all()


def test_phi1_is_twice_differentiable():
    z = torch.tensor([-1e-3, -0.2, -4.0], dtype=torch.float64, requires_grad=True)
    assert gradcheck(scalar_phi1, [z])
    assert torch.autograd.gradgradcheck(scalar_phi1, [z])


def test_phi1_in_float32_near_zero():
    z = torch.logspace(-7, -0.5, 200) * -1
    error = scalar_phi1(z).double() - scalar_phi1(z.double())
    assert error.abs().max() <= 2e-7
