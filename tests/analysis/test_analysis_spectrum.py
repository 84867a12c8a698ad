"""Spectra, resolvents and pseudospectra against NumPy decompositions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from resolvent.analysis import (
    eigenvalues,
    eigenvector_condition,
    pseudospectrum,
    resolvent_norm,
    spectral_abscissa,
    spectral_radius,
    window,
)
from resolvent.initialize import hippo
from resolvent.structure import Diagonal


def in_order(values):
    """Eigenvalues sorted by imaginary, then real part."""
    values = np.asarray(values)
    return np.take_along_axis(values, np.lexsort((values.real.round(8), values.imag.round(8))), -1)


def dense_sigma(A, real, imag):
    """Least singular values by one NumPy decomposition a point: (y, x)."""
    s = real[None, :] + 1j * imag[:, None]
    return np.linalg.svd(s[..., None, None] * np.eye(len(A)) - A, compute_uv=False)[..., -1]


def test_eigenvalues_are_those_of_the_dense_matrix(case):
    found = in_order(eigenvalues(case.system.A))
    for head, A in enumerate(case.A):
        expected = np.linalg.eigvals(A)
        values = found[head % len(found)]  # one matrix may serve all heads
        np.testing.assert_allclose(values, in_order(expected), atol=1e-10)
        row = head % len(found)
        assert spectral_abscissa(case.system.A)[row] == pytest.approx(expected.real.max())
        assert spectral_radius(case.system.A)[row] == pytest.approx(np.abs(expected).max())


def test_the_resolvent_norm_is_the_norm_of_the_inverse(case):
    s = np.array([[0.5, 2j], [-1 + 3j, 4.0]])
    found = resolvent_norm(case.system.A, torch.from_numpy(s))
    eye = np.eye(case.A.shape[-1])
    for head in range(len(found)):
        for index in np.ndindex(s.shape):
            inverse = np.linalg.inv(s[index] * eye - case.A[head])
            assert found[head][index] == pytest.approx(np.linalg.norm(inverse, 2), rel=1e-10)


def test_at_an_eigenvalue_the_resolvent_is_infinite():
    assert resolvent_norm(Diagonal(torch.tensor([-1.0, -2.0])), -2.0) == torch.inf


def test_eigenvector_conditions():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(3, 6, 6))
    expected = [np.linalg.cond(np.linalg.eig(a)[1]) for a in A]
    np.testing.assert_allclose(eigenvector_condition(torch.from_numpy(A)), expected, rtol=1e-8)
    assert eigenvector_condition(hippo.legs(8).normal) == pytest.approx(1, abs=1e-10)
    repeated = Diagonal(torch.tensor([[-1 + 2j, -1 + 2j, -1 + 0j]]))
    assert eigenvector_condition(repeated).tolist() == [1.0]
    assert eigenvector_condition(np.array([[1.0, 1.0], [0.0, 1.0]])) > 1e15  # a Jordan block


def test_legs_cannot_be_diagonalised_but_its_normal_part_can():
    """S4, lemma 3.2: the eigenvectors of LegS are exponentially ill-conditioned."""
    conditions = [float(eigenvector_condition(hippo.legs(n).A)) for n in (4, 8, 12)]
    assert conditions[1] > 100 * conditions[0] and conditions[2] > 100 * conditions[1]


def test_only_square_matrices_have_a_spectrum():
    with pytest.raises(ValueError, match="square"):
        eigenvalues(torch.zeros(3, 2))


MATRICES = {
    "legs": hippo.legs(24).A,
    "normal": hippo.legs(24).normal,
    "random": np.random.default_rng(0).normal(size=(20, 20)),
    "complex": np.random.default_rng(0).normal(size=(9, 9, 2)) @ np.array([1, 1j]),
    "jordan": np.diag(np.ones(11), 1),
    "one": np.array([[-2.0]]),
    "two": np.array([[-1.0, 5.0], [0.0, -1.0]]),
    "three equal": -np.eye(3),
}


@pytest.mark.parametrize("name", MATRICES)
def test_pseudospectra_equal_a_decomposition_at_every_point(name):
    A = MATRICES[name]
    found = pseudospectrum(A, points=15)
    expected = dense_sigma(A, found.real.numpy(), found.imag.numpy())
    # an iteration that stops at a relative change of 1e-6; both err by some rounding floors
    np.testing.assert_allclose(found.sigma_min, expected, rtol=1e-4, atol=30 * found.floor)
    assert found.sigma_min.shape == (len(found.imag), len(found.real))


def test_points_that_do_not_settle_are_decomposed(monkeypatch):
    A = MATRICES["random"]
    monkeypatch.setattr("resolvent.analysis.pseudospectra.STEPS", 2)
    found = pseudospectrum(A, points=9)
    expected = dense_sigma(A, found.real.numpy(), found.imag.numpy())
    np.testing.assert_allclose(found.sigma_min, expected, rtol=1e-4)


@pytest.mark.parametrize("name", ["normal", "legs"])
def test_a_grid_point_on_an_eigenvalue_is_zero_to_rounding(name):
    A = MATRICES[name]
    at = eigenvalues(A)[0]
    found = pseudospectrum(A, (at.real.reshape(1), at.imag.reshape(1)))
    assert 0 <= float(found.sigma_min) <= 100 * found.floor


@given(st.integers(2, 10), st.integers(0, 2**31))
def test_eigenvalues_of_a_perturbed_matrix_lie_in_the_pseudospectrum(n, seed):
    rng = np.random.default_rng(seed)
    A, E = rng.normal(size=(2, n, n))
    for s in np.linalg.eigvals(A + 0.1 * E):
        found = pseudospectrum(A, (torch.tensor([s.real]), torch.tensor([s.imag])))
        assert float(found.sigma_min) <= 0.1 * np.linalg.norm(E, 2) * (1 + 1e-5)


def test_the_window_holds_the_spectrum_and_is_symmetric():
    real, imag = window(torch.tensor([-3 + 4j, -1 - 4j, -2 + 0j]), points=21)
    assert real[0] < -3 and real[-1] > -1 and len(real) == len(imag) == 21
    assert imag[-1] > 4
    torch.testing.assert_close(imag, -imag.flip(0))
    real, imag = window(torch.tensor([-2.0 + 0j]))  # a single point still has a surrounding
    assert real[0] < -2.5 and imag[-1] > 0.5


def test_one_matrix_at_a_time():
    with pytest.raises(ValueError, match="pick one"):
        pseudospectrum(torch.zeros(2, 3, 3))
