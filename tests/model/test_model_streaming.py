"""A stream is the model's step with constants folded: same numbers and states, all real."""

from __future__ import annotations

import pytest
import torch

from resolvent.layers import INVARIANT
from resolvent.model import ModelConfig, Stream, build_model

# sums of at most a few hundred terms of order one in float64
TOLERANCE = {"rtol": 1e-10, "atol": 1e-10}


def make(layer="S5", **fields):
    config = ModelConfig(layer, {"d_state": 6}, d_model=4, n_layers=2, **fields)
    return build_model(config, d_input=3, n_outputs=5)


@pytest.mark.parametrize("layer", INVARIANT)
@pytest.mark.parametrize("norm", ["layer", "batch"])
def test_a_stream_equals_the_batch_and_continues_it(layer, norm):
    model = make(layer, norm=norm, dropout=0.3).double()
    x = torch.randn(2, 9, 3, dtype=torch.float64)
    model(x)  # moves the running statistics of batch norm
    stream = Stream(model)  # in evaluation mode, whatever the model is in
    model.eval()

    state = stream.initial_state(2)
    for t in range(9):
        prediction, state = stream(x[:, t], state)
    whole, expected = model.advance(x)
    torch.testing.assert_close(prediction, whole, **TOLERANCE)
    torch.testing.assert_close(state, expected, **TOLERANCE)

    _, state = model.advance(x[:, :5])
    for t in range(5, 9):
        prediction, state = stream(x[:, t], state)
    torch.testing.assert_close(prediction, whole, **TOLERANCE)


def test_a_stream_is_a_copy():
    model = make().eval()
    x = torch.randn(2, 3)
    before, _ = Stream(model)(x, model.initial_state(2))
    stream = Stream(model)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(1.0)
    torch.testing.assert_close(stream(x, model.initial_state(2))[0], before, rtol=0, atol=0)
    assert not any(p.requires_grad for p in stream.parameters())


@pytest.mark.parametrize("layer", ["S5", "S4"])
def test_a_stream_exports_without_complex_numbers(layer):
    stream = Stream(make(layer))
    arguments = (torch.randn(2, 3), stream.initial_state(2))
    program = torch.export.export(stream, arguments)
    values = [node.meta.get("val") for node in program.graph.nodes]
    assert not any(isinstance(v, torch.Tensor) and v.is_complex() for v in values)
    assert len(program.graph.nodes) > 20
    torch.testing.assert_close(program.module()(*arguments), stream(*arguments))


def test_models_that_cannot_stream_say_why():
    with pytest.raises(TypeError, match="reads the future"):
        Stream(make(bidirectional=True))
