"""Long filters against the sum that defines them, with tails, resets and lengths."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from resolvent.execute import filter_features


def by_definition(x, taps, tail, resets, lengths):
    b, length, _ = x.shape
    n = taps.shape[1]
    y, after = torch.zeros_like(x), tail.clone()
    for row in range(b):
        past = list(tail[row])
        for t in range(length if lengths is None else int(lengths[row])):
            if resets is not None and resets[row, t]:
                past = [torch.zeros_like(x[row, t])] * (n - 1)
            window = [*past, x[row, t]]
            y[row, t] = sum(taps[:, j] * window[-1 - j] for j in range(n))
            past = window[1:]
        if n > 1:
            after[row] = torch.stack(past)
    return y, after


@given(
    b=st.integers(0, 3),
    length=st.integers(0, 9),
    n=st.integers(1, 12),
    seed=st.integers(0, 1000),
    timed=st.booleans(),
)
def test_filter_is_the_sum(b, length, n, seed, timed):
    g = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=g).double()

    x, taps, tail = draw(b, length, 2), draw(2, n), draw(b, n - 1, 2)
    resets = torch.rand(b, length, generator=g) < 0.3 if timed else None
    lengths = torch.randint(0, length + 1, (b,), generator=g) if timed else None
    found = filter_features(x, taps, tail, resets, lengths)
    expected = by_definition(x, taps, tail, resets, lengths)
    # an FFT of a few dozen steps in float64
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-11)
