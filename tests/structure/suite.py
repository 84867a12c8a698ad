"""What every structure is held to: a structure writes how to make one and its dense twin.

The twin is a NumPy matrix built from the stored tensors alone; everything else follows.
"""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
import torch
from scipy.linalg import expm
from torch import Tensor
from torch.autograd import gradcheck

from oracle import phi1 as dense_phi1
from oracle import real_input, real_output
from resolvent import structure
from resolvent.contract import tolerance
from resolvent.structure import Structure

BOUND = tolerance(torch.float64, "value").bound


def close(found: Tensor, expected: np.ndarray) -> None:
    """Equal shapes, and entries to within the tolerance of the largest one."""
    assert tuple(found.shape) == expected.shape
    scale = max(1.0, np.abs(expected).max(initial=0.0))
    assert np.abs(found.detach().numpy() - expected).max(initial=0.0) <= BOUND * scale


def each(f, *stacks):
    """Apply a function of single matrices over leading axes."""
    lead = stacks[0].shape[:-2]
    flat = [f(*(s[i] for s in stacks)) for i in np.ndindex(lead)]
    return np.array(flat).reshape(*lead, *np.shape(flat[0]))


def tensors(A: Structure) -> list[Tensor]:
    """What the structure stores."""
    values = [getattr(A, x.name) for x in fields(A)]  # type: ignore[arg-type]
    return [x for x in values if isinstance(x, Tensor)]


def rebuilt(A: Structure, values) -> Structure:
    """The same structure around other tensors."""
    stored = iter(values)
    return A.map(lambda _: next(stored))


class StructureSuite:
    """Inherit, and give `make` and `twin`."""

    n = 3
    lead = (2,)

    def make(self, rng: torch.Generator, lead: tuple[int, ...], n: int) -> Structure:
        """A random structure in float64 whose matrix has norm about 1."""
        raise NotImplementedError

    def twin(self, A: Structure) -> np.ndarray:
        """The dense real matrix, from the stored tensors by NumPy alone."""
        raise NotImplementedError

    @pytest.fixture
    def A(self, rng) -> Structure:
        return self.make(rng, self.lead, self.n)

    def vectors(self, A: Structure, rng, p: int = 2) -> Tensor:
        return torch.randn(*self.lead, A.n, p, generator=rng, dtype=A.dtype)

    def real(self, x: Tensor, dim: int = -2) -> np.ndarray:
        return structure.to_real(x, dim).detach().numpy()

    # values

    def test_shape_and_dtype(self, A):
        assert A.n == self.n
        assert A.dense().dtype == torch.float64
        assert A.dense().shape[-1] == (2 * A.n if A.dtype.is_complex else A.n)

    def test_dense(self, A):
        close(A.dense(), self.twin(A))

    def test_apply(self, A, rng):
        h = self.vectors(A, rng)
        close(structure.to_real(A.apply(h), -2), self.twin(A) @ self.real(h))

    def test_adjoint_is_the_transpose(self, A, rng):
        close(A.adjoint().dense(), np.swapaxes(self.twin(A), -1, -2))
        x, y = self.vectors(A, rng), self.vectors(A, rng)
        left = (x.conj() * A.apply(y)).real.sum()
        right = (A.adjoint().apply(x).conj() * y).real.sum()
        torch.testing.assert_close(left, right, rtol=0, atol=1e-12)

    def test_affine(self, A, rng):
        scale = torch.rand(*self.lead, 1, generator=rng).double()
        expected = scale.numpy()[..., None] * self.twin(A) + 0.5 * np.eye(A.dense().shape[-1])
        close(A.affine(scale, 0.5).dense(), expected)

    def test_affine_adds_batch_and_time(self, A, rng):
        scale = torch.rand(4, 5, *self.lead, 1, generator=rng).double()
        found = A.affine(scale, 0.0)
        close(found.dense(), scale.numpy()[..., None] * self.twin(A))
        now = found.map(lambda x: x[:, 2])  # every stored tensor has the new axes
        close(now.dense(), self.twin(found)[:, 2])
        h = torch.randn(4, 5, *self.lead, A.n, 2, generator=rng, dtype=A.dtype)
        close(structure.to_real(found.apply(h), -2), self.twin(found) @ self.real(h))

    def test_map_keeps_the_type(self, A):
        doubled = A.map(lambda x: torch.cat([x, x]))
        assert type(doubled) is type(A)
        close(doubled.dense(), np.concatenate([self.twin(A)] * 2))

    # products

    def test_compose(self, A, rng):
        other = self.make(rng, self.lead, self.n)
        if A.closed:
            close(A.compose(other).dense(), self.twin(A) @ self.twin(other))
        else:
            with pytest.raises(TypeError, match="do not compose"):
                A.compose(other)
            assert A.why_not_closed

    def test_compose_is_associative(self, A, rng):
        if not A.closed:
            pytest.skip(A.why_not_closed)
        second, third = (self.make(rng, self.lead, self.n) for _ in range(2))
        left = A.compose(second).compose(third).dense()
        right = A.compose(second.compose(third)).dense()
        torch.testing.assert_close(left, right, rtol=0, atol=1e-12)

    def test_compose_refuses_other_structures(self, A):
        class Other:
            pass

        with pytest.raises(TypeError):
            A.compose(Other())

    # functions of the matrix

    def test_exponential(self, A):
        close(structure.exponential(A).dense(), each(expm, self.twin(A)))

    def test_phi1(self, A):
        close(structure.phi1(A).dense(), each(dense_phi1, self.twin(A)))

    def test_phi1_at_zero_is_the_identity(self, A):
        nothing = A.affine(torch.zeros(*self.lead, 1, dtype=torch.float64), 0.0)
        close(structure.phi1(nothing).dense(), each(lambda X: np.eye(len(X)), self.twin(A)))

    @pytest.mark.parametrize("s", [1.0, 2.5])
    def test_resolvent(self, A, s):
        expected = each(lambda X: np.linalg.inv(s * np.eye(len(X)) - X), self.twin(A))
        close(structure.resolvent(A, s).dense(), expected)

    def test_resolvent_of_a_slow_step(self, A):
        slow = A.affine(torch.full((*self.lead, 1), 1e-6, dtype=torch.float64), 0.0)
        expected = each(lambda X: np.linalg.inv(np.eye(len(X)) - X), self.twin(slow))
        close(structure.resolvent(slow, 1.0).dense(), expected)

    def test_shifted_solve(self, A, rng):
        twin = self.twin(A)
        s = torch.tensor([2.0 + 1.0j, 0.5 - 3.0j, 4.0 + 0.0j], dtype=torch.complex128)
        v = torch.randn(*self.lead, twin.shape[-1], generator=rng).double()
        expected = np.stack(
            [
                np.linalg.solve(z * np.eye(twin.shape[-1]) - twin, v.numpy()[..., None])[..., 0]
                for z in s.numpy()
            ],
            -2,
        )
        close(structure.shifted_solve(A, s, v), expected)

    # powers

    @pytest.mark.parametrize("k", [1, 2, 3, 7, 12])
    def test_power(self, A, k):
        if not A.closed:
            pytest.skip(A.why_not_closed)
        close(structure.power(A, k).dense(), np.linalg.matrix_power(self.twin(A), k))

    def test_power_zero_is_refused(self, A):
        with pytest.raises(ValueError, match="k must be at least 1"):
            structure.power(A, 0)

    def test_power_apply(self, A, rng):
        if not A.closed:
            pytest.skip(A.why_not_closed)
        k = torch.tensor([0, 1, 2, 5, 8])
        h = torch.randn(len(k), *self.lead, A.n, 2, generator=rng, dtype=A.dtype)
        expected = np.stack(
            [
                np.linalg.matrix_power(self.twin(A), int(e)) @ x
                for e, x in zip(k, self.real(h), strict=True)
            ]
        )
        found = structure.power_apply(A, h, k, 8)
        close(structure.to_real(found, -2), expected)

    @pytest.mark.parametrize("length", [1, 2, 3, 8, 13])
    def test_krylov(self, A, rng, length):
        if not A.closed:
            pytest.skip(A.why_not_closed)
        X = self.vectors(A, rng)
        twin, x = self.twin(A), self.real(X)
        expected = np.stack([np.linalg.matrix_power(twin, k) @ x for k in range(length)], -2)
        close(structure.to_real(structure.krylov(A, X, length), -3), expected)

    @pytest.mark.parametrize("length", [1, 2, 5, 64, 131])
    def test_markov(self, A, rng, length):
        if not A.closed:
            pytest.skip(A.why_not_closed)
        B = self.vectors(A, rng)
        C = torch.randn(*self.lead, 4, A.n, generator=rng, dtype=A.dtype)
        twin = self.twin(A)
        b, c = B.numpy(), C.numpy()
        if A.dtype.is_complex:
            b, c = each(real_input, b), each(real_output, c)
        expected = np.stack([c @ np.linalg.matrix_power(twin, k) @ b for k in range(length)], -1)
        close(structure.markov(A, B, C, length), expected)

    # gradients

    def slopes(self, A: Structure, f) -> None:
        values = [x.clone().requires_grad_() for x in tensors(A)]
        assert gradcheck(lambda *x: f(rebuilt(A, x)), values)

    def test_gradient_of_apply(self, A, rng):
        h = self.vectors(A, rng)
        self.slopes(A, lambda X: X.apply(h))
        assert gradcheck(A.apply, [h.requires_grad_()])

    def test_gradient_of_dense(self, A):
        self.slopes(A, lambda X: X.dense())

    def test_gradient_of_adjoint(self, A):
        self.slopes(A, lambda X: X.adjoint().dense())

    def test_gradient_of_compose(self, A, rng):
        if not A.closed:
            pytest.skip(A.why_not_closed)
        other = self.make(rng, self.lead, self.n)
        self.slopes(A, lambda X: X.compose(other).dense() + other.compose(X).dense())

    @pytest.mark.parametrize("name", ["exponential", "phi1"])
    def test_gradient_of_functions(self, A, name):
        self.slopes(A, lambda X: getattr(structure, name)(X).dense())

    def test_gradient_of_resolvent(self, A):
        self.slopes(A, lambda X: structure.resolvent(X, 2.0).dense())

    def test_gradient_of_shifted_solve(self, A, rng):
        s = torch.tensor([2.0 + 1.0j, 0.5 - 3.0j], dtype=torch.complex128)
        v = torch.randn(*self.lead, A.dense().shape[-1], generator=rng).double()
        self.slopes(A, lambda X: structure.shifted_solve(X, s, v))

    def test_gradient_of_markov(self, A, rng):
        if not A.closed:
            pytest.skip(A.why_not_closed)
        B = self.vectors(A, rng)
        C = torch.randn(*self.lead, 2, A.n, generator=rng, dtype=A.dtype)
        self.slopes(A, lambda X: structure.markov(X, B, C, 7))
        pair = [B.requires_grad_(), C.requires_grad_()]
        assert gradcheck(lambda B, C: structure.markov(A, B, C, 7), pair)

    def test_gradient_of_power_apply(self, A, rng):
        if not A.closed:
            pytest.skip(A.why_not_closed)
        k, h = torch.tensor([0, 3]), self.vectors(A, rng)[None].repeat(2, 1, 1, 1)
        self.slopes(A, lambda X: structure.power_apply(X, h, k, 3))
