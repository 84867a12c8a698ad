"""Modes: the real system is recovered exactly from one half of its conjugate pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from resolvent.initialize import hippo, modes


def assert_completes(m: modes.Modes, atol: float = 1e-12) -> None:
    np.testing.assert_allclose(2 * (m.V @ m.W).real, np.eye(m.size), atol=atol)
    np.testing.assert_allclose(m.W @ m.input(), m.B, atol=atol * max(1, np.abs(m.B).max()))
    assert (m.eigenvalues.imag >= 0).all()


def skew(values: np.ndarray, n: int) -> np.ndarray:
    M = np.zeros((n, n))
    M[np.triu_indices(n, 1)] = values
    return M - M.T


@given(st.integers(1, 9), st.data())
def test_normal_systems_of_any_size(n, data):
    entries = arrays(float, n * (n - 1) // 2, elements=st.floats(-5, 5))
    S = skew(data.draw(entries), n) - 0.7 * np.eye(n)
    B = data.draw(arrays(float, n, elements=st.floats(-2, 2)))
    m = modes.from_normal(S, B)
    assert_completes(m)
    assert m.count == (n + 1) // 2
    np.testing.assert_allclose(m.matrix(), S, atol=1e-12)
    np.testing.assert_allclose(m.input(), B, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(m.V, axis=0), 1)


@pytest.mark.parametrize("n", [1, 2, 3, 8, 9])
@pytest.mark.parametrize("name", sorted(hippo.BY_NAME))
def test_normal_parts_of_hippo(name, n):
    system = hippo.by_name(name, n)
    m = modes.from_normal(system.normal, system.B)
    assert_completes(m)
    assert m.count == (n + 1) // 2  # fout with even n has a double eigenvalue 0
    np.testing.assert_allclose(m.matrix(), system.normal, atol=1e-12 * n**2)


@pytest.mark.parametrize("n", [1, 2, 3, 6, 7])
def test_general_real_matrix(n):
    rng = np.random.default_rng(n)
    A, B = rng.standard_normal((n, n)), rng.standard_normal(n)
    m = modes.from_matrix(A, B)
    assert_completes(m, atol=1e-10)  # eigenvectors of random matrices: condition up to 1e3
    np.testing.assert_allclose(m.matrix(), A, atol=1e-10)
    np.testing.assert_allclose(m.input(), B, atol=1e-10)
    assert (m.B.real >= 0).all() and np.abs(m.B.imag).max() < 1e-12


def test_a_real_eigenvalue_is_one_mode_of_weight_one_half():
    A = np.diag([-1.0, -2.0, -3.0])
    A[1, 2], A[2, 1] = 5.0, -5.0
    m = modes.from_matrix(A, np.array([4.0, 1.0, 0.0]))
    assert m.count == 2 and m.real.tolist() == [True, False]
    np.testing.assert_allclose(m.B[0], 2.0)
    np.testing.assert_allclose(m.W[0], [0.5, 0, 0], atol=1e-15)


def test_halves_do_not_depend_on_the_phases_of_the_solver():
    system = hippo.legs(6)
    values, vectors = np.linalg.eig(system.normal)
    turned = vectors * np.exp(1j * np.arange(6))
    turned[:, values.imag < 0] = turned[:, values.imag > 0].conj()
    values[values.imag < 0] = values[values.imag > 0].conj()
    a = modes.conjugate_halves(values, turned, system.B)
    b = modes.from_normal(system.normal, system.B)
    np.testing.assert_allclose(a.V, b.V, atol=1e-12)
    np.testing.assert_allclose(a.B, b.B, atol=1e-12)


@given(st.integers(1, 7), st.floats(0.1, 10))
def test_transfer_function(n, w):
    system = hippo.legs(n)
    m = modes.from_normal(system.normal, system.B)
    expected = np.linalg.solve(1j * w * np.eye(n) - system.normal, system.B)
    np.testing.assert_allclose(m.transfer([1j * w])[0], expected, atol=1e-11)


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_canonical(n):
    k = (n + 1) // 2
    m = modes.canonical(-0.5 + 1j * np.arange(k), n)
    assert_completes(m)
    weights = np.ones(k)
    weights[: n % 2] = 0.5
    np.testing.assert_array_equal(m.B, weights)
    np.testing.assert_array_equal(m.real, weights == 0.5)


@pytest.mark.parametrize("n", [2, 3])
def test_blocks(n):
    one = modes.from_normal(hippo.legs(n).normal, hippo.legs(n).B)
    m = modes.tile(one, 3)
    assert_completes(m)
    assert (m.size, m.count) == (3 * n, 3 * one.count)
    np.testing.assert_allclose(m.matrix(), np.kron(np.eye(3), one.matrix()), atol=1e-14)
    np.testing.assert_allclose(m.input(), np.tile(one.input(), 3), atol=1e-14)
    two = modes.from_blocks([one, modes.canonical([-1.0], 1)])
    assert_completes(two)
    assert two.size == n + 1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: modes.canonical([-1 + 1j], 3), r"shape \(2,\) for n = 3"),
        (lambda: modes.canonical([-1 + 1j, -1 + 2j], 3), "one of them real"),
        (lambda: modes.from_blocks([]), "at least one Modes"),
        (lambda: modes.tile(modes.canonical([-1.0], 2), 0), "blocks must be at least 1"),
        (lambda: modes.from_normal(hippo.legs(3).A, np.ones(3)), "its `normal` part"),
        (lambda: modes.from_normal(-np.eye(3), np.ones(2)), "needs B of shape"),
        (lambda: modes.conjugate_halves([1j, 2.0], np.eye(2), np.ones(2)), "conjugate pairs"),
        (
            lambda: modes.Modes(np.zeros(2), np.zeros((4, 2)), np.zeros((2, 3)), np.zeros(2)),
            "V must have shape",
        ),
    ],
)
def test_bad_arguments(call, words):
    with pytest.raises(ValueError, match=words):
        call()
