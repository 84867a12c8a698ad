"""Memory stays in bounds: varying systems by blocks, packed segments by length; no NaN survives."""

from __future__ import annotations

import pytest
import torch

from execute.systems import Shape, system
from resolvent import discretize
from resolvent.execute import run
from resolvent.execute.blocks import BUDGET, STEPS
from resolvent.kernels import using
from resolvent.layers import S4, S4D
from resolvent.topology.segments import Segments


def test_a_varying_system_is_discretised_block_by_block():
    seen = []

    def watched(A, B, dt):
        seen.append(dt.shape[1])
        return discretize.zoh(A, B, dt)

    layer, length = S4D(2, d_state=4, rule=watched), 3 * STEPS + 1
    with torch.no_grad():
        for execution in ("recur", "scan"):
            seen.clear()
            layer.execution = execution
            layer(torch.randn(2, length, 2), dt=torch.rand(2, length) + 0.5)
            assert max(seen) == STEPS and sum(x for x in seen if x > 1) >= length - 1


def test_blocks_of_large_matrices_are_short(monkeypatch):
    shape = Shape(b=2, length=40, m=2, n=3)
    dense = system("dense", "varying", False, shape, 0)
    u = torch.randn(2, 40, 2, 1, dtype=torch.float64)
    expected = run(dense, u, execution="loop")
    assert BUDGET > 2 * 2 * 9 * 40
    monkeypatch.setattr("resolvent.execute.blocks.BUDGET", 7 * 2 * 2 * 9)
    found = run(dense, u, execution="scan")
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def test_many_short_segments_beside_a_long_one_take_linear_memory():
    length = 40_000
    resets = torch.zeros(1, length, dtype=torch.bool)
    resets[:, : length // 2] = True
    groups = Segments.of(resets, None).groups(64)
    padded = sum(some.position.numel() for _, some in groups)
    assert padded <= 2 * length
    layer = S4(1, d_state=2)
    u = torch.randn(1, length, 1)
    with torch.no_grad():  # in one group these would be 20,000 rows of 20,000 steps
        y, _ = layer(u, resets=resets)
        tail = length // 2 - 1  # the last of the short ones
        alone, _ = layer(u[:, tail:], resets=resets[:, tail:])
    torch.testing.assert_close(y[:, tail:], alone)


@pytest.mark.parametrize("backend", ["auto", "torch"])
@pytest.mark.parametrize("execution", ["loop", "recur", "convolve", "chunk", "scan"])
def test_a_reset_forgets_even_what_is_not_finite(execution, backend):
    shape = Shape(b=2, length=50, m=2, n=3)  # of more than one chunk, wherever there are chunks
    discrete = system("complex", "invariant", False, shape, 0)
    u = torch.randn(2, 50, 2, 1, dtype=torch.float64)
    for reset in (0, 1, 7, 45):
        h0 = torch.full((2, 2, 3, 1), torch.nan, dtype=torch.complex128)
        poisoned = u.clone()
        poisoned[:, :reset] = torch.nan
        resets = torch.zeros(2, 50, dtype=torch.bool)
        resets[:, reset] = True
        with using(backend):
            y, h = run(discrete, poisoned, h0, resets=resets, execution=execution)
        expected = run(discrete, u[:, reset:], execution="loop")
        torch.testing.assert_close((y[:, reset:], h), expected, rtol=1e-10, atol=1e-10)


def test_a_state_of_other_rows_is_refused():
    layer = S4D(2, d_state=4)
    with pytest.raises(ValueError, match=r"h0: expected shape \(3, 2, 2, 1\), got \(1, 2, 2, 1\)"):
        layer.step(torch.zeros(3, 2), layer.initial_state(1))
