"""HiPPO: each matrix against the basis it stands for, and its normal-plus-low-rank form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.linalg import expm
from scipy.special import eval_genlaguerre, gamma

from resolvent.initialize import hippo

SIZES = (1, 2, 3, 4, 7, 8, 64, 65)


def kernel(system: hippo.Hippo, t: np.ndarray) -> np.ndarray:
    return np.stack([expm(x * system.A) @ system.B for x in t])


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("name", sorted(hippo.BY_NAME))
def test_normal_plus_low_rank(name, n):
    system = hippo.by_name(name, n)
    S = system.A + system.P @ system.P.T
    scale = max(1.0, np.abs(S).max())  # entries are sums of products of that size
    assert np.abs(S + S.T - 2 * system.decay * np.eye(n)).max() <= 1e-13 * scale
    assert np.abs(system.normal - S).max() <= 1e-13 * scale
    assert system.P.shape == (n, 2 if name == "legt" and n > 1 else 1)
    assert system.window == 1.0


@pytest.mark.parametrize("name", ["legs", "lagt"])
@given(n=st.integers(1, 40), t=st.floats(0, 6))
def test_infinite_windows_have_exact_kernels(name, n, t):
    system, times = hippo.by_name(name, n), np.array([t])
    # expm in float64 works to about 1e-15 times the largest entry that arises on the way
    assert np.abs(kernel(system, times) - hippo.basis(name, n, times)).max() <= 1e-11


def test_legs_kernel_at_eight_states_to_rounding():
    t = np.linspace(0, 4, 9)
    assert np.abs(kernel(hippo.legs(8), t) - hippo.basis("legs", 8, t)).max() <= 1e-12


@given(st.integers(1, 12), st.floats(-0.9, 3), st.floats(0, 2), st.floats(0, 4))
def test_generalised_laguerre_kernel(n, alpha, beta, t):
    system = hippo.lagt(n, alpha, beta)
    expected = eval_genlaguerre(np.arange(n), alpha, t) * np.exp(-(1 + beta) * t / 2)
    scale = max(1.0, np.abs(expected).max())
    assert np.abs(kernel(system, np.array([t]))[0] - expected).max() <= 1e-11 * scale
    assert system.decay == -beta / 2


@pytest.mark.parametrize("name", ["legt", "fout"])
def test_finite_windows_are_approached_in_the_mean(name):
    """Gibbs ripples keep the maximum away; the first kernels' root mean square error falls."""
    t = np.linspace(0.001, 1.999, 400)
    errors = []
    for n in (16, 64, 256):
        steps = np.diff(t, prepend=0.0)
        system = hippo.by_name(name, n)
        first, step = expm(steps[0] * system.A), expm(steps[1] * system.A)
        h, rows = first @ system.B, []
        for _ in t:
            rows.append(h)
            h = step @ h
        error = (np.stack(rows) - hippo.basis(name, n, t))[:, :5]
        errors.append(np.sqrt((error**2).mean()))
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.08


@pytest.mark.parametrize("name", ["legt", "fout"])
def test_window_length_stretches_time(name):
    build, t = hippo.BY_NAME[name], np.linspace(0, 3, 7)
    one, three = build(9), build(9, window=3.0)
    assert three.window == 3.0
    np.testing.assert_allclose(kernel(three, 3 * t), kernel(one, t) / 3, atol=1e-12)
    np.testing.assert_allclose(three.A + three.P @ three.P.T, three.normal, atol=1e-13)


@pytest.mark.parametrize("name", sorted(hippo.BY_NAME))
def test_basis_is_orthonormal(name):
    n = 5
    # the weight that makes the kernels orthonormal: e^{t} for legs undoes one of its two e^{-t}
    weight = (lambda t: np.exp(t)) if name == "legs" else (lambda t: 1.0)
    end = 1.0 if name in ("legt", "fout") else 60.0

    def entry(i, j):
        product = lambda t: np.prod(hippo.basis(name, n, t)[[i, j]]) * weight(t)  # noqa: E731
        return quad(product, 0, end, limit=200)[0]

    gram = np.array([[entry(i, j) for j in range(n)] for i in range(n)])
    np.testing.assert_allclose(gram, np.eye(n), atol=1e-7)  # quadrature


def test_generalised_laguerre_norm_stated_in_the_docstring():
    alpha, n = 1.5, 4
    norm2 = quad(lambda t: eval_genlaguerre(n, alpha, t) ** 2 * t**alpha * np.exp(-t), 0, 80)[0]
    assert norm2 == pytest.approx(gamma(n + alpha + 1) / gamma(n + 1), rel=1e-7)


@pytest.mark.parametrize("n", [2, 4, 10])
def test_fout_dead_coordinate_of_even_sizes(n):
    system, odd = hippo.fout(n), hippo.fout(n - 1)
    assert not system.A[1].any() and not system.A[:, 1].any()
    assert system.B[1] == 0 and system.P[1] == 0
    alive = np.arange(n) != 1
    np.testing.assert_array_equal(system.A[np.ix_(alive, alive)], odd.A)
    np.testing.assert_array_equal(system.B[alive], odd.B)
    assert np.linalg.eigvals(odd.A).real.max() < 0


def test_memory_equals_direct_projection():
    """The online coefficients against those of a least-squares fit of the whole history."""
    rng, length, n = np.random.default_rng(0), 4000, 32
    s = (np.arange(length) + 0.5) / length
    frequencies, phases = rng.uniform(0, 8, 6), rng.uniform(0, 2 * np.pi, 6)
    u = np.sin(2 * np.pi * np.outer(s, frequencies) + phases).sum(1)
    design = np.stack([hippo.recall(np.eye(n)[j], s) for j in range(n)], axis=1)
    direct = np.linalg.lstsq(design, u, rcond=None)[0]
    online = hippo.remember(u, n)
    assert np.linalg.norm(online - direct) < 0.02 * np.linalg.norm(direct)
    assert np.sqrt(np.mean((hippo.recall(online, s) - u) ** 2)) < 0.05 * np.sqrt(np.mean(u**2))


def test_memory_is_equivariant_to_time_scale():
    def f(s):
        return np.sin(9 * s) + 0.5 * np.cos(23 * s + 1)

    slow, fast = (f((np.arange(length) + 0.5) / length) for length in (20000, 10000))
    assert np.abs(hippo.remember(slow, 16) - hippo.remember(fast, 16)).max() < 1e-3


def test_memory_with_constant_steps_is_the_time_invariant_system():
    dt, length, n = 1e-3, 3000, 6
    u = np.sin(np.arange(length) * dt * 3)
    ages = dt * (np.arange(length)[::-1] + 0.5)
    expected = dt * u @ hippo.basis("legs", n, ages)
    online = hippo.remember(u, n, steps=np.full(length, dt))
    np.testing.assert_allclose(online, expected, atol=1e-4)  # two rules of second order


def test_recall_of_constants():
    np.testing.assert_allclose(hippo.recall([2.0, 0, 0], [0, 0.3, 1]), 2.0)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: hippo.legs(0), ValueError, "n must be at least 1, got 0"),
        (lambda: hippo.legs(2.5), TypeError, "n must be an int, got 2.5"),
        (lambda: hippo.legt(4, window=0), ValueError, "window must lie in"),
        (lambda: hippo.fout(4, window="1"), TypeError, "window must be a real number"),
        (lambda: hippo.lagt(4, alpha=-1), ValueError, "alpha must lie in"),
        (lambda: hippo.lagt(4, beta=-0.1), ValueError, "beta must lie in"),
        (lambda: hippo.by_name("legz", 4), ValueError, "'lagt', 'legs', 'legt'"),
        (lambda: hippo.basis("legs", 4, [-1.0]), ValueError, "t must be at least 0"),
        (lambda: hippo.remember(np.zeros((3, 1)), 4), ValueError, "u must have shape"),
        (lambda: hippo.remember(np.zeros(3), 4, steps=[1, 0, 1]), ValueError, "steps must be"),
    ],
)
def test_bad_arguments(call, error, words):
    with pytest.raises(error, match=words):
        call()
