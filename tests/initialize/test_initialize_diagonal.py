"""Diagonal initialisations: formulas, counts and identities of each, at any size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolvent.initialize import diagonal, hippo

BUILDERS = {**diagonal.BY_NAME, "ring": diagonal.ring}


@pytest.mark.parametrize("n", [1, 2, 3, 4, 9, 64, 65])
@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_every_initialisation_completes(name, n):
    m = BUILDERS[name](n)
    assert (m.size, m.count) == (n, (n + 1) // 2)
    np.testing.assert_allclose(2 * (m.V @ m.W).real, np.eye(n), atol=1e-12)
    np.testing.assert_allclose(m.W @ m.input(), m.B, atol=1e-11)
    assert m.real.sum() == n % 2
    assert (m.eigenvalues[m.real].imag == 0).all()
    assert (m.eigenvalues.imag >= 0).all()
    if name == "ring":
        assert (np.abs(m.eigenvalues) <= 1).all()
    else:
        assert (m.eigenvalues.real <= -0.5).all()


def test_published_formulas_at_64():
    j = np.arange(32)
    assert np.array_equal(diagonal.lin(64).eigenvalues, -0.5 + 1j * np.pi * j)
    inverse = -0.5 + 1j * 64 / np.pi * (64 / (2 * j + 1) - 1)
    np.testing.assert_allclose(diagonal.inv(64).eigenvalues, inverse)
    inverse = -0.5 + 1j * 64 / np.pi * (64 / (j + 1) - 1)
    np.testing.assert_allclose(diagonal.inv2(64).eigenvalues, inverse)
    np.testing.assert_allclose(diagonal.quad(64).eigenvalues.imag, (2 * j + 1) ** 2 / np.pi)
    assert np.array_equal(diagonal.real(64).eigenvalues, -(j + 1.0))
    np.testing.assert_array_equal(diagonal.lin(64).B, 1)


@pytest.mark.parametrize(("n", "top"), [(16, 81.0), (32, 325.4), (64, 1303.3)])
def test_top_frequency_of_legs(n, top):
    frequencies = diagonal.legs(n).eigenvalues.imag
    assert round(frequencies.max(), 1) == top
    assert frequencies.max() == pytest.approx(n**2 / np.pi, rel=1e-2)
    np.testing.assert_array_equal(diagonal.dss(n).eigenvalues, diagonal.legs(n).eigenvalues)


@given(st.integers(1, 40), st.floats(-300, 300), st.integers(0, 2**31))
def test_legs_is_half_of_one_plus_g_times_s4(n, w, seed):
    """G_S4D-LegS = (1 + g)/2 G_S4 for every readout, g = Pᵀ (s - S)^{-1} P."""
    system, s, C = hippo.legs(n), 1j * w, np.random.default_rng(seed).standard_normal(n)
    resolvent = np.linalg.inv(s * np.eye(n) - system.normal)
    g = (system.P.T @ resolvent @ system.P).item()
    full = C @ np.linalg.solve(s * np.eye(n) - system.A, system.B)
    diagonal_part = diagonal.legs(n).transfer([s])[0] @ C
    # the resolvent of the normal part is at most 2 in norm, g up to n² and B up to n
    assert abs(diagonal_part - (1 + g) / 2 * full) <= 1e-12 * n**3


def test_legs_recovers_s4_weakly_but_not_pointwise():
    """The kernel's error does not fall with n; the step response's does (S4D, theorem 3)."""
    t, T = np.linspace(0.5, 1.5, 2001), np.linspace(0.5, 3, 6)
    kernel_errors, step_errors = [], []
    for n in (16, 64, 256):
        m = diagonal.legs(n)
        weight, rate = 2 * m.V[0] * m.B, m.eigenvalues
        kernel = (np.exp(np.outer(t, rate)) @ weight).real
        step = (np.expm1(np.outer(T, rate)) @ (weight / rate)).real
        kernel_errors.append(np.sqrt(np.mean((kernel - np.exp(-t)) ** 2)))
        step_errors.append(np.abs(step + np.expm1(-T)).max())
    assert min(kernel_errors) > 0.3
    np.testing.assert_allclose(step_errors, [1.7e-2, 2.8e-3, 3.4e-4], rtol=0.03)


@given(st.integers(1, 60), st.floats(0, 0.95), st.floats(0.01, 6.28), st.integers(0, 99))
def test_ring(n, r_min, max_phase, seed):
    m = diagonal.ring(n, r_min, 1.0, max_phase, rng=seed)
    modulus, phase = np.abs(m.eigenvalues), np.angle(m.eigenvalues)
    assert ((modulus >= r_min - 1e-12) & (modulus <= 1)).all() and (modulus > 0).all()
    assert ((phase >= 0) & (phase <= max_phase + 1e-12)).all()


def test_ring_is_uniform_by_area():
    rings = [diagonal.ring(200, 0.4, 0.9, rng=seed).eigenvalues for seed in range(100)]
    modulus = np.abs(np.concatenate(rings))
    position = (modulus**2 - 0.4**2) / (0.9**2 - 0.4**2)
    # the mean of 10,000 uniform draws has a standard deviation of 0.003
    assert np.mean(position) == pytest.approx(0.5, abs=0.015)
    assert np.mean(position < 0.25) == pytest.approx(0.25, abs=0.02)


def test_random_initialisations_follow_their_seed():
    for build in (diagonal.rand, diagonal.ring):
        same = build(8, rng=np.random.default_rng(3)).eigenvalues
        assert np.array_equal(build(8, rng=3).eigenvalues, same)
        assert not np.array_equal(build(8, rng=4).eigenvalues, same)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: diagonal.by_name("leg", 4), ValueError, "'inv', 'inv2', 'legs', 'lin', 'ptd'"),
        (lambda: diagonal.lin(0), ValueError, "n must be at least 1"),
        (lambda: diagonal.inv(True), TypeError, "n must be an int"),
        (lambda: diagonal.ring(4, r_min=1.0), ValueError, "r_min must lie in"),
        (lambda: diagonal.ring(4, r_min=0.5, r_max=0.4), ValueError, "r_max must lie in"),
        (lambda: diagonal.ring(4, max_phase=7.0), ValueError, "max_phase must lie in"),
    ],
)
def test_bad_arguments(call, error, words):
    with pytest.raises(error, match=words):
        call()
