"""Pieces are for channels whose values crowd, share the steps, and say where a value lies."""

from __future__ import annotations

import numpy as np
import pytest

from resolvent.workflow.pieces import PIECES, Pieces


def crowd(n: int, seed: int = 0) -> np.ndarray:
    """Two levels, values within a hundredth of a deviation of one or the other."""
    rng = np.random.default_rng(seed)
    z = rng.choice([-1.0, 1.0], n) + 0.01 * rng.normal(size=n)
    return (z - z.mean()) / z.std()


def test_only_crowded_channels_have_pieces():
    rng = np.random.default_rng(0)
    z = np.stack([rng.normal(size=5000), crowd(5000), np.zeros(5000)], 1)
    normal, crowded, constant = Pieces.fit(z).bounds
    assert normal == () and constant == () and len(crowded) == PIECES + 1


def test_pieces_share_the_steps_and_rise_with_the_value():
    z = np.sort(crowd(4000))[:, None].astype(np.float32)
    seen = Pieces.fit(z).apply(z)
    assert seen.shape == (4000, PIECES) and np.abs(seen).max() == 1
    np.testing.assert_allclose((np.abs(seen) < 1).mean(0), 1 / PIECES, atol=0.01)  # 4,000 steps
    assert (np.diff(seen, axis=0) >= 0).all()
    assert (np.diff(seen.sum(1)) >= 0).all() and seen.sum(1)[0] == -PIECES == -seen.sum(1)[-1]


def test_values_that_repeat_bound_fewer_pieces():
    z = np.array([[0.0]] * 40 + [[0.01]] * 50 + [[0.02]] * 6 + [[3.0]] * 4)
    pieces = Pieces.fit(z)
    assert pieces.bounds == (tuple(np.float32([0, 0.01, 0.02, 3]).tolist()),)
    seen = pieces.apply(z[[0, 40, 90, 99]].astype(np.float32))
    np.testing.assert_array_equal(seen, [[-1, -1, -1], [1, -1, -1], [1, 1, -1], [1, 1, 1]])


@pytest.mark.parametrize("levels", [1, 2, 5, 17])
def test_levels_that_are_taken_exactly_need_none(levels):
    z = np.random.default_rng(0).integers(0, levels, 5000) ** 2.0
    z = (z - z.mean()) / max(z.std(), 1)
    assert Pieces.fit(z[:, None]).bounds == ((),)


@pytest.mark.parametrize("value", [-1e30, 1e30])
def test_what_lies_outside_stays_within_one(value):
    pieces = Pieces.fit(crowd(500)[:, None])
    assert (pieces.apply(np.array([value], np.float32)) == np.sign(value)).all()
