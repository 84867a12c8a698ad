"""Step sizes: range, distribution, and the inverse of softplus."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolvent.initialize import timescale


@given(st.floats(1e-6, 1), st.floats(1, 1e4), st.integers(0, 9))
def test_steps_stay_in_range(dt_min, ratio, seed):
    dt = timescale.log_uniform((5, 3), dt_min, dt_min * ratio, rng=seed)
    assert dt.shape == (5, 3)
    assert (dt >= dt_min * (1 - 1e-12)).all() and (dt <= dt_min * ratio * (1 + 1e-12)).all()


def test_the_logarithm_is_uniform():
    position = np.log10(timescale.log_uniform(40000)) / 2 + 1.5  # 1e-3 .. 1e-1 to 0 .. 1
    # 40,000 draws: standard deviation of each quartile's share 0.002
    np.testing.assert_allclose(np.histogram(position, 4, (0, 1))[0] / 40000, 0.25, atol=0.011)


def test_steps_follow_their_seed():
    assert np.array_equal(
        timescale.log_uniform(4, rng=1), timescale.log_uniform(4, rng=np.random.default_rng(1))
    )
    assert not np.array_equal(timescale.log_uniform(4, rng=1), timescale.log_uniform(4, rng=2))


@given(st.floats(1e-12, 500))
def test_inverse_softplus(dt):
    x = timescale.inverse_softplus(dt)
    softplus = np.log1p(np.exp(-abs(x))) + max(x, 0)
    # at x = -27 the inverse is a logarithm: an error of one unit in x is one relative in dt
    assert softplus == pytest.approx(dt, rel=1e-13 * max(1, abs(x)))


def test_step_for_a_window():
    assert timescale.step_for(1000) == 1 / 1000
    assert timescale.step_for(500, window=2.0) == 2.0 / 500


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: timescale.log_uniform(3, dt_min=0.0), ValueError, "dt_min must lie in"),
        (lambda: timescale.log_uniform(3, 0.1, 0.01), ValueError, "dt_max must lie in"),
        (lambda: timescale.log_uniform(3, np.inf), ValueError, "dt_min must lie in"),
        (lambda: timescale.log_uniform(3, "a"), TypeError, "dt_min must be a real number"),
        (lambda: timescale.inverse_softplus([1.0, 0.0]), ValueError, "dt must be positive, got 0"),
        (lambda: timescale.step_for(0), ValueError, "samples must lie in"),
        (lambda: timescale.step_for(10, window=-1), ValueError, "window must lie in"),
    ],
)
def test_bad_arguments(call, error, words):
    with pytest.raises(error, match=words):
        call()
