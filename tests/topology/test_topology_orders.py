import torch
from hypothesis import given
from hypothesis import strategies as st

from resolvent.topology.orders import reverse, reverse_resets


def test_reverse_keeps_the_padding_in_place():
    x = torch.tensor([[1, 2, 3, 9], [4, 9, 9, 9], [9, 9, 9, 9]])
    expected = [[3, 2, 1, 9], [4, 9, 9, 9], [9, 9, 9, 9]]
    assert reverse(x, torch.tensor([3, 1, 0])).tolist() == expected


def test_reverse_without_lengths_flips_every_row():
    assert reverse(torch.tensor([[1, 2, 3]])).tolist() == [[3, 2, 1]]


@given(
    b=st.integers(0, 3), length=st.integers(0, 7), seed=st.integers(0, 1000), padded=st.booleans()
)
def test_reverse_is_its_own_inverse(b, length, seed, padded):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(b, length, 2, generator=g)
    lengths = torch.randint(0, length + 1, (b,), generator=g) if padded else None
    assert torch.equal(reverse(reverse(x, lengths), lengths), x)


def segments(resets, steps):
    """The pieces of 0 .. steps - 1 that resets cut, in order."""
    pieces = []
    for t in range(steps):
        if resets[t] or not pieces:
            pieces.append([])
        pieces[-1].append(t)
    return pieces


@given(length=st.integers(1, 9), seed=st.integers(0, 1000))
def test_reversed_resets_cut_at_the_same_places(length, seed):
    g = torch.Generator().manual_seed(seed)
    resets = torch.rand(1, length, generator=g) < 0.4
    steps = int(torch.randint(1, length + 1, (1,), generator=g))
    lengths = torch.tensor([steps])
    forward = segments(resets[0].tolist(), steps)
    cut = reverse_resets(resets, lengths)[0].tolist()
    backward = [[steps - 1 - t for t in piece] for piece in segments(cut, steps)]
    assert [piece[::-1] for piece in backward[::-1]] == forward
