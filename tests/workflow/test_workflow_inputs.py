"""What the model sees: the same from a whole series and row by row, fixed by the training set."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolvent.data import DataError, SeriesSet
from resolvent.workflow import Inputs
from resolvent.workflow.pieces import PIECES


def gappy(seed: int, gaps: float, channels: int, lengths=(9, 1, 14)) -> SeriesSet:
    """Random walks of unequal lengths, with a share of missing values."""
    rng = np.random.default_rng(seed)
    X = [rng.normal(3, 2, (n, channels)).cumsum(0) for n in lengths]
    for x in X:
        x[rng.random(x.shape) < gaps] = np.nan
    X[0][0] = 3.0  # no channel is missing throughout
    return SeriesSet(X)


@given(st.integers(0, 1000), st.sampled_from([0.0, 0.3, 0.9]), st.integers(1, 3), st.booleans())
def test_stepping_gives_the_rows_of_the_whole(seed, gaps, channels, crowded):
    series = gappy(seed, gaps, channels)
    if crowded:
        for x in series.X:
            x[:, 0] = np.sign(x[:, 0] - 3) + 0.01 * x[:, 0]
    inputs = Inputs.from_dict(Inputs.fit(series).to_dict())
    for x in series.X:
        whole, memory = inputs.apply(x), inputs.start()
        assert whole.shape == (len(x), inputs.n_outputs) and np.isfinite(whole).all()
        for row, expected in zip(x, whole, strict=True):
            seen, memory = inputs.step(row, memory)
            np.testing.assert_array_equal(seen, expected)


def test_differences_have_unit_size_and_start_at_zero():
    series = gappy(0, 0.0, 2, lengths=(200, 300))
    inputs = Inputs.fit(series)
    differences = [inputs.apply(x)[:, 2:] for x in series.X]
    assert all((d[0] == 0).all() for d in differences)
    size = np.sqrt(np.mean(np.concatenate([d[1:] for d in differences]) ** 2, axis=0))
    np.testing.assert_allclose(size, 1, rtol=1e-5)  # float32


def test_crowded_channels_come_in_pieces_too():
    rng = np.random.default_rng(0)
    x = np.stack(
        [rng.normal(size=2000), rng.integers(0, 2, 2000) + 0.01 * rng.normal(size=2000)], 1
    )
    inputs = Inputs.fit(SeriesSet([x]))
    assert inputs.n_outputs == 2 + 2 + PIECES
    before = {k: v for k, v in inputs.to_dict().items() if k != "bounds"}  # as runs once had it
    assert Inputs.from_dict(before).n_outputs == 2 + 2


def test_constant_channels_stay_finite():
    series = SeriesSet([np.full((5, 2), 7.0), np.full((3, 2), 7.0)])
    assert (Inputs.fit(series).apply(series.X[0]) == 0).all()


def test_other_channels_are_refused():
    inputs = Inputs.fit(gappy(0, 0.0, 2))
    with pytest.raises(DataError, match="expected 2 as in training"):
        inputs.apply(np.zeros((4, 3), np.float32))
