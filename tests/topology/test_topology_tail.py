"""What a finite memory keeps, against a list that is cut and appended to."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from resolvent.topology.tail import keep_last, pad_front


@given(
    size=st.integers(0, 5),
    length=st.integers(0, 7),
    b=st.integers(0, 3),
    seed=st.integers(0, 1000),
    timed=st.booleans(),
)
def test_the_last_steps_of_every_row(size, length, b, seed, timed):
    g = torch.Generator().manual_seed(seed)
    steps = torch.randn(b, size + length, 2, generator=g)
    resets = torch.rand(b, length, generator=g) < 0.3 if timed else None
    lengths = torch.randint(0, length + 1, (b,), generator=g) if timed else None
    found = keep_last(steps, size, resets, lengths)
    assert found.shape == (b, size, 2)
    for row in range(b):
        kept = list(steps[row, :size])
        for t in range(length if lengths is None else int(lengths[row])):
            if resets is not None and resets[row, t]:
                kept = [torch.zeros(2)] * size
            kept = [*kept, steps[row, size + t]][1:] if size else []
        expected = torch.stack(kept) if kept else torch.zeros(0, 2)
        assert torch.equal(found[row], expected)


def test_zeros_go_in_front():
    x = torch.ones(2, 3, 4)
    assert torch.equal(pad_front(x, 2), torch.cat([torch.zeros(2, 2, 4), x], 1))
    assert torch.equal(pad_front(x[..., 0], 0), x[..., 0])
