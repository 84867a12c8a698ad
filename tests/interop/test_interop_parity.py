"""Logits equal those of transformers, for weights of its own making and odd sizes."""

import pytest
import torch

from interop.peers import KINDS, in_float64, make, save
from resolvent.model import LanguageModel

LENGTHS = (1, 13, 37)


@pytest.fixture(params=KINDS)
def pair(request, tmp_path):
    theirs = make(request.param)
    return theirs, LanguageModel.from_pretrained(save(theirs, tmp_path))


def tokens(b: int, length: int) -> torch.Tensor:
    return torch.randint(0, 53, (b, length))


# the same sums in another order, over a few layers of a few dozen terms
NARROW = {"rtol": 1e-4, "atol": 1e-4}
WIDE = {"rtol": 1e-9, "atol": 1e-9}


@torch.no_grad()
def test_logits_in_float32(pair):
    theirs, ours = pair
    for length in LENGTHS:
        t = tokens(2, length)
        torch.testing.assert_close(ours(t)[0], theirs(t).logits, **NARROW)


@torch.no_grad()
def test_logits_in_float64_whole_in_chunks_by_token_and_padded(pair, monkeypatch):
    theirs, ours = pair[0].double(), pair[1].double()
    t = tokens(3, 37)
    lengths = torch.tensor([37, 5, 20])
    with in_float64(monkeypatch):
        whole = theirs(t).logits
        alone = [theirs(t[i : i + 1, :n]).logits[0] for i, n in enumerate(lengths.tolist())]

    y, last = ours(t)
    torch.testing.assert_close(y, whole, **WIDE)

    pieces, state = [], None
    for chunk in t.split([20, 1, 16], 1):
        y, state = ours(chunk, state)
        pieces.append(y)
    torch.testing.assert_close(torch.cat(pieces, 1), whole, **WIDE)
    torch.testing.assert_close(state, last, **WIDE)

    stepped, state = [], ours.initial_state(3)
    for i in range(37):
        y, state = ours.step(t[:, i], state)
        stepped.append(y)
    torch.testing.assert_close(torch.stack(stepped, 1), whole, **WIDE)
    torch.testing.assert_close(state, last, **WIDE)

    y, _ = ours(t, lengths=lengths)
    for i, expected in enumerate(alone):
        torch.testing.assert_close(y[i, : len(expected)], expected, **WIDE)
        assert not y[i, len(expected) :].any()


@torch.no_grad()
def test_written_for_transformers_it_is_read_by_transformers(pair, tmp_path):
    theirs, ours = pair
    layout = f"transformers-{theirs.config.model_type.replace('_', '-')}"
    ours.save_pretrained(tmp_path / "again", layout)
    t = tokens(2, 20)
    again = type(theirs).from_pretrained(tmp_path / "again").eval()
    torch.testing.assert_close(again(t).logits, theirs(t).logits, **NARROW)
