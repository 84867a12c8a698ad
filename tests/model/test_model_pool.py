"""Pools over very long streams, in float32."""

from __future__ import annotations

import torch

from resolvent.model.pool import Mean


def test_the_mean_of_a_stream_goes_on_after_float32_sums_have_stopped():
    pool, steps = Mean(), 1 << 26  # a float32 sum of ones stops at 2^24
    state = (torch.ones(1, 1), torch.tensor([steps]))
    mean, (_, count) = pool.step(torch.ones(1, 1), state)
    assert mean.item() == 1.0 and count.item() == steps + 1
    mean, _ = pool.final(torch.full((1, steps // 64, 1), 2.0), state, None, None)
    assert abs(mean.item() - 66 / 65) < 1e-6
    assert abs(pool.prefixes(torch.full((1, 9, 1), 2.0), state, None)[0, -1].item() - 1.0) < 1e-6


def test_what_precedes_a_reset_costs_no_digits():
    y = torch.full((1, 100_000, 1), 1000.0)
    y[:, -3:] = torch.tensor([1e-3, 2e-3, 3e-3])[:, None]
    resets = torch.zeros(1, 100_000, dtype=torch.bool)
    resets[:, -3] = True
    pool = Mean()
    start = pool.initial_state(torch.zeros(1, 1))
    means = pool.prefixes(y, start, resets)[0, -3:, 0]
    torch.testing.assert_close(means, torch.tensor([1e-3, 1.5e-3, 2e-3]), rtol=1e-4, atol=0.0)
    final, _ = pool.final(y, start, resets, None)
    torch.testing.assert_close(final[0, 0], means[-1])
