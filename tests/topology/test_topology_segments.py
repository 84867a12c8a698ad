import torch
from hypothesis import given
from hypothesis import strategies as st

from resolvent.topology.segments import Segments


def test_segments_count_only_real_steps():
    resets = torch.tensor([[False, True, False, True], [True, False, False, True], [True] * 4])
    parts = Segments.of(resets, torch.tensor([3, 4, 0]))
    assert parts.row.tolist() == [0, 0, 1, 1]
    assert parts.lengths.tolist() == [1, 2, 3, 1]
    assert parts.first.tolist() == [True, False, False, False]
    assert parts.last.tolist() == [1, 3, -1]


@given(
    b=st.integers(0, 4), length=st.integers(0, 9), seed=st.integers(0, 10_000), rate=st.floats(0, 1)
)
def test_join_undoes_split(b, length, seed, rate):
    g = torch.Generator().manual_seed(seed)
    resets = torch.rand(b, length, generator=g) < rate
    lengths = torch.randint(0, length + 1, (b,), generator=g)
    x = torch.randn(b, length, 2, generator=g)
    parts = Segments.of(resets, lengths)
    real = (torch.arange(length) < lengths[:, None])[..., None]
    assert torch.equal(parts.join(parts.split(x), b, length), x * real)
    assert int(parts.lengths.sum()) == int(lengths.sum())
    assert torch.equal(parts.last >= 0, lengths > 0)


@given(b=st.integers(1, 4), length=st.integers(1, 9), seed=st.integers(0, 10_000))
def test_every_segment_starts_at_a_reset_or_at_the_row(b, length, seed):
    g = torch.Generator().manual_seed(seed)
    resets = torch.rand(b, length, generator=g) < 0.3
    parts = Segments.of(resets, None)
    start = parts.position[:, 0]
    at_reset = resets[parts.row, start]
    assert bool((at_reset | (start == 0)).all())
    assert torch.equal(parts.first, ~at_reset)
    assert len(start) == int(resets[:, 1:].sum() + b)
