"""What is said of a model's layers on a text is what they do."""

import numpy as np
import pytest
import torch

from resolvent.model import LanguageConfig, LanguageModel
from resolvent.model.observation import observe
from resolvent.plots import inspect_language

TOKENS = torch.arange(90) % 50


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    layers = ("Mamba", "Mamba2", "S4D", "Attention", "MLP")
    return LanguageModel(LanguageConfig(50, 8, 5, layers=layers)).eval()


def test_selection_is_that_of_the_system(model):
    seen = observe(model, TOKENS, [1, 40, 90])
    assert [x.selection is not None for x in seen] == [True, True, True, False, False]
    first = seen[0].selection
    layer, embedded = model.blocks[0].layer, model.embedding(TOKENS[None])
    u = model.blocks[0].norm(embedded)
    with torch.no_grad():
        dt = layer.system(u).transition.dt
        a = (dt * layer.eigenvalues).exp()
    torch.testing.assert_close(first.dt, dt.flatten())
    torch.testing.assert_close(first.moduli, a.flatten())
    # after `memory` steps of the average decay, 1/e is left
    left = (a.double().log().mean((0, 1)) * first.memory).exp()
    torch.testing.assert_close(left, torch.full_like(left, np.exp(-1)))


def test_norms_are_those_of_the_states(model):
    seen = observe(model, TOKENS, [7, 90])
    for length, index in ((7, 0), (90, 1)):
        _, state = model(TOKENS[None, :length])
        for x, h in zip(seen[:3], state, strict=False):
            expected = float(h.h.detach().double().square().mean().sqrt())
            assert x.norms[index] == pytest.approx(expected, rel=1e-4)
    assert seen[4].norms == [0.0, 0.0]


def test_pictures_of_every_layer_with_a_system(model):
    pictures = inspect_language(model, TOKENS, trained_length=20)
    titles = [x.title for x in pictures]
    assert "block 0 (Mamba)" in titles and "block 1 (Mamba2)" in titles
    assert titles[-1] == "states over the text"
    of_mamba, of_mamba2 = (
        next(x.text for x in pictures if x.title == f"block {n}")
        for n in ("0 (Mamba)", "1 (Mamba2)")
    )
    assert "tokens of the layer   diverge" in of_mamba
    assert "tokens of" not in of_mamba2
    assert "its size at 20 tokens" in pictures[-1].text or "their size at 20" in pictures[-1].text


def test_a_growing_state_is_named(model):
    grower = LanguageModel(
        LanguageConfig(
            50,
            8,
            1,
            layers=("LinearAttention",),
            layer_options={"LinearAttention": {"decay": "none"}},
        )
    ).eval()
    *_, last = inspect_language(grower, TOKENS, trained_length=10)
    assert "more than 2 times their size at 10 tokens: 0 (LinearAttention)" in last.text


@pytest.mark.parametrize("lengths", [[], [0, 3], [5, 5], [91]])
def test_impossible_lengths_are_named(model, lengths):
    with pytest.raises(ValueError, match="lengths: expected increasing numbers from 1 to 90"):
        observe(model, TOKENS, lengths)
