"""Perturb-then-diagonalise: every promise of docs/theory/ptd.md, on random cases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from resolvent.initialize import diagonal, hippo, ptd

SIZES = st.integers(1, 64)
THETAS = st.floats(1e-3, 1.0)
FREQUENCIES = st.one_of(st.floats(-1e5, 1e5), st.floats(-3, 3))


def legs_transfer(n: int, w: float) -> np.ndarray:
    system = hippo.legs(n)
    return np.linalg.solve(1j * w * np.eye(n) - system.A, system.B)


@given(SIZES, THETAS, FREQUENCIES, st.integers(0, 2**31))
@example(1, 1.0, 0.0, 0)
@example(64, 0.999, 1303.3, 1)
def test_bound_at_every_frequency_for_every_readout(n, theta, w, seed):
    C = np.random.default_rng(seed).standard_normal(n)
    p = ptd.dissipative(n, theta)
    exact = C @ legs_transfer(n, w)
    error = abs(C @ p.modes.transfer([1j * w])[0] - exact)
    rounding = 1e-15 * n * p.condition * np.linalg.norm(C)
    if theta < 1:
        assert error <= theta / (2 * (1 - theta)) * abs(exact) + rounding
    r = theta / (2 - theta)
    modulus = r * abs(w) / np.hypot(w, n)  # |r b|: the bound that knows the frequency
    if modulus < 1:
        assert error <= modulus / (1 - modulus) * abs(exact) + rounding / (1 - modulus)


@given(SIZES, THETAS)
def test_reported_figures(n, theta):
    p = ptd.dissipative(n, theta)
    A, B, P = hippo.legs(n).A, hippo.legs(n).B, hippo.legs(n).P
    values, V, E = p.eigenvalues, p.eigenvectors, p.perturbation
    scale = np.linalg.norm(A, 2)
    np.testing.assert_allclose(E, theta * P @ P.T)
    # the matrix from its eigenvectors: their condition multiplies rounding
    rounding = 1e-14 * p.condition * scale
    np.testing.assert_allclose((V * values) @ np.linalg.inv(V), A + E, atol=rounding)
    np.testing.assert_allclose(np.linalg.norm(V, axis=0), 1)
    assert p.condition == pytest.approx(np.linalg.cond(V))
    assert p.perturbation_norm == pytest.approx(theta * n**2 / 2)
    assert p.spectral_abscissa == values.real.max() <= -0.5
    assert p.relative_error <= p.bound * (1 + 1e-9) + 1e-14 * p.condition
    np.testing.assert_allclose(p.modes.input(), (1 - theta / 2) * B, atol=1e-13 * p.condition * n)
    np.testing.assert_allclose(p.modes.matrix(), A + E, atol=rounding)
    assert p.modes.size == n and p.modes.B.shape == (p.modes.count,)


@given(st.integers(1, 40), THETAS, st.integers(0, 2**31))
def test_suprema_are_not_exceeded_and_are_reached(n, theta, seed):
    assume(theta < 0.98)  # sharper peaks than random frequencies can find
    p = ptd.dissipative(n, theta)
    generator = np.random.default_rng(seed)
    w = np.concatenate([10 ** generator.uniform(-2, 5, 3000), p.modes.eigenvalues.imag])
    difference = p.modes.transfer(1j * w) - ptd.transfer(n, 1j * w)
    distance = np.linalg.norm(difference, axis=1)
    size = np.linalg.norm(ptd.transfer(n, 1j * w), axis=1)
    for reported, seen in (
        (p.sup_error, np.abs(difference[:, 0]).max()),
        (p.worst_error, distance.max()),
        (p.relative_error, (distance / size).max()),
    ):
        assert 0.97 * reported <= seen <= reported * (1 + 1e-6)


@given(SIZES, THETAS, FREQUENCIES)
def test_the_identity_behind_it(n, theta, w):
    """G_theta = G / (1 + r b), b all-pass on Re s = -1/2, |b(iw)| = |w| / sqrt(w² + n²)."""
    r, s = theta / (2 - theta), 1j * w
    p = ptd.dissipative(n, theta)
    full, b = ptd.transfer(n, s), ptd.all_pass(n, s)
    np.testing.assert_allclose(full, legs_transfer(n, w), atol=1e-12)
    assert abs(b) == pytest.approx(abs(w) / np.hypot(w, n), abs=1e-12)
    assert np.linalg.norm(full) == pytest.approx(n / np.hypot(w, n), rel=1e-10)
    assert abs(ptd.all_pass(n, -0.5 + s)) == pytest.approx(1, abs=1e-10)
    assume(abs(1 + r * b) > 1e-4)
    expected = full / (1 + r * b)
    rounding = 1e-14 * n * p.condition * max(1, np.abs(expected).max() / abs(1 + r * b))
    np.testing.assert_allclose(p.modes.transfer([s])[0], expected, atol=rounding)


@given(st.integers(1, 30), THETAS, st.floats(-50, 50))
def test_scalar_form_with_g(n, theta, w):
    """b = (1 - g) / (1 + g) with g = Pᵀ (s - S)^{-1} P, Re g > 0 on the axis."""
    system = hippo.legs(n)
    g = (system.P.T @ np.linalg.solve(1j * w * np.eye(n) - system.normal, system.P)).item()
    assert g.real > 0
    assert (1 - g) / (1 + g) == pytest.approx(ptd.all_pass(n, 1j * w).item(), abs=1e-11)


@pytest.mark.parametrize("n", [1, 2, 3, 8, 9, 64])
def test_theta_one_is_s4d_legs(n):
    one, s4d = ptd.dissipative(n, 1.0), diagonal.legs(n)
    order = np.lexsort((s4d.eigenvalues.imag,))
    np.testing.assert_allclose(
        one.modes.eigenvalues, s4d.eigenvalues[order], atol=1e-15 * n**2, rtol=1e-12
    )
    np.testing.assert_allclose(one.modes.V, s4d.V[:, order], atol=1e-10)
    np.testing.assert_allclose(one.modes.B, s4d.B[order], rtol=1e-10)
    assert one.condition == pytest.approx(1, abs=1e-9)
    assert one.bound == np.inf


@pytest.mark.parametrize(
    ("n", "frequency", "diagonal_gain", "full_gain", "supremum"),
    [
        (16, 81.0, 0.651, 0.0123, 0.639),
        (32, 325.4, 0.640, 0.0031, 0.637),
        (64, 1303.3, 0.638, 0.0008, 0.637),
    ],
)
def test_s4d_legs_spike(n, frequency, diagonal_gain, full_gain, supremum):
    """S4D-LegS answers 2/pi at w near n²/pi where LegS answers pi/n²."""
    p = ptd.dissipative(n, 1.0)
    top = p.eigenvalues.imag.max()
    assert round(top, 1) == frequency
    assert round(abs(p.modes.transfer([1j * top])[0, 0]), 3) == diagonal_gain
    assert round(abs(1 / (1j * top + 1)), 4) == full_gain
    assert round(p.sup_error, 3) == supremum
    assert p.sup_error == pytest.approx(2 / np.pi, rel=0.5 / n)
    assert p.relative_error == pytest.approx(2 * n**2 / np.pi**2, rel=0.01)
    assert p.worst_error == pytest.approx(2 * n / np.pi, rel=0.02)


@pytest.mark.parametrize(
    ("theta", "condition"), [(0.01, "195"), (0.1, "18.79"), (0.3, "5.629"), (0.5, "2.987")]
)
def test_condition_tends_to_its_limit(theta, condition):
    limit = (2 - theta) / theta
    gaps = [1 - ptd.dissipative(n, theta).condition / limit for n in (32, 128, 256)]
    assert gaps[0] > gaps[1] > gaps[2] > 0
    digits = len(condition.replace(".", ""))
    assert f"{(1 - gaps[2]) * limit:.{digits}g}" == condition


def test_bound_is_reached_as_n_grows():
    p = ptd.dissipative(256, 0.1)
    assert round(p.relative_error, 6) == 0.055551
    assert p.bound == pytest.approx(0.1 / 1.8)


@pytest.mark.parametrize("theta", [0.01, 0.1, 1.0])
def test_accurate_at_512_states(theta):
    n = 512
    p = ptd.dissipative(n, theta)
    m, r = p.modes, theta / (2 - theta)
    np.testing.assert_allclose(2 * (m.V @ m.W).real, np.eye(n), atol=1e-11)
    assert np.abs(r * ptd.all_pass(n, p.eigenvalues) + 1).max() < 1e-10
    residual = (hippo.legs(n).A + p.perturbation) @ m.V - m.V * m.eigenvalues
    assert np.abs(residual).max() < 1e-14 * np.linalg.norm(hippo.legs(n).A)
    assert m.count == n // 2


def test_sinusoid_at_the_spike_is_heard_by_s4d_only():
    n = 32
    s4d = ptd.dissipative(n, 1.0)
    top = s4d.eigenvalues.imag.max()
    for theta, heard in ((1.0, True), (0.1, False)):
        gain = abs(ptd.dissipative(n, theta).modes.transfer([1j * top])[0, 0])
        assert (gain > 0.6) == heard and (gain < 0.004) != heard


@pytest.mark.parametrize(("n", "theta"), [(2, 0.5), (5, 0.1), (8, 0.3), (12, 0.1)])
def test_optimised_beats_the_family_at_equal_condition(n, theta):
    found = ptd.optimised(n, theta, steps=60)
    assert found.method == "optimised"
    rival = ptd.dissipative(n, found.theta)
    assert rival.condition == pytest.approx(found.condition, rel=1e-6)
    for name in ("sup_error", "worst_error", "relative_error", "perturbation_norm"):
        assert getattr(found, name) < getattr(rival, name)
    assert found.spectral_abscissa <= -0.5
    A, V = hippo.legs(n).A, found.eigenvectors
    back = (V * found.eigenvalues) @ np.linalg.inv(V)
    np.testing.assert_allclose(back, A + found.perturbation, atol=1e-10)
    assert np.abs(back.imag).max() < 1e-10
    np.testing.assert_allclose(np.linalg.norm(V, axis=0), 1)
    m = found.modes
    np.testing.assert_allclose(2 * (m.V @ m.W).real, np.eye(n), atol=1e-11)


@settings(max_examples=6)
@given(st.integers(1, 7), st.floats(0.02, 1.0))
def test_optimised_is_never_worse(n, theta):
    found = ptd.optimised(n, theta, steps=8)
    assert found.spectral_abscissa <= -0.5
    assert found.relative_error <= found.bound
    for other in np.geomspace(1e-4, 1, 30):
        rival = ptd.dissipative(n, other)
        if rival.condition <= found.condition:
            for name in ("sup_error", "worst_error", "relative_error", "perturbation_norm"):
                assert getattr(found, name) <= getattr(rival, name) * (1 + 1e-6)


def test_optimised_is_deterministic():
    one, two = (ptd.optimised(6, 0.1, steps=15) for _ in range(2))
    assert np.array_equal(one.eigenvalues, two.eigenvalues)
    assert np.array_equal(one.perturbation, two.perturbation)


@pytest.mark.slow
def test_optimised_at_64_states():
    found = ptd.optimised(64)
    rival = ptd.dissipative(64, found.theta)
    assert found.method == "optimised"
    assert found.spectral_abscissa < -0.5  # the published objective gives +1.35
    assert found.relative_error < 0.95 * rival.relative_error
    assert found.sup_error < rival.sup_error and found.modes.count == 32


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: ptd.dissipative(8, 0.0), ValueError, "theta must lie in"),
        (lambda: ptd.dissipative(8, -0.1), ValueError, "theta must lie in"),
        (lambda: ptd.dissipative(8, 1.1), ValueError, "theta must lie in"),
        (lambda: ptd.dissipative(8, float("nan")), ValueError, "theta must lie in"),
        (lambda: ptd.dissipative(8, "0.1"), TypeError, "theta must be a real number"),
        (lambda: ptd.dissipative(0, 0.1), ValueError, "n must be at least 1"),
        (lambda: ptd.dissipative(64, 1e-8), ValueError, "too small for n = 64"),
        (lambda: ptd.optimised(8, 0.0), ValueError, "theta must lie in"),
        (lambda: ptd.optimised(8, steps=0), ValueError, "steps must be at least 1"),
    ],
)
def test_bad_arguments(call, error, words):
    with pytest.raises(error, match=words):
        call()
