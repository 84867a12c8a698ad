"""A model gives one prediction however its input arrives: whole, padded, chunked or stepped."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from resolvent.layers import INVARIANT, detach, select_rows
from resolvent.model import Backbone, ModelConfig, ModelState, SequenceModel, build_model
from resolvent.model.pool import POOLS

# sums of at most a few hundred terms of order one in float64
TOLERANCE = {"rtol": 1e-10, "atol": 1e-10}


def make(layer="S5", pool="mean", **fields) -> SequenceModel:
    config = ModelConfig(layer, {"d_state": 6}, d_model=4, n_layers=2, pool=pool, **fields)
    return build_model(config, d_input=3, n_outputs=5).double().eval()


def inputs(b: int, length: int) -> torch.Tensor:
    return torch.randn(b, length, 3, dtype=torch.float64)


def chunks(x: torch.Tensor, cuts: list[int]):
    edges = [0, *sorted(cuts), x.shape[1]]
    return [x[:, i:j] for i, j in itertools.pairwise(edges)]


@pytest.mark.parametrize("layer", [*INVARIANT, "Mamba", "Mamba2"])
@pytest.mark.parametrize("pool", POOLS)
@settings(max_examples=5)
@given(length=st.integers(1, 12), data=st.data())
def test_whole_chunked_stepped_and_padded_predictions_agree(layer, pool, length, data):
    model, x = make(layer, pool), inputs(2, length)
    whole = model(x)

    state, stepped = model.initial_state(2), []
    for t in range(length):
        prediction, state = model.step(x[:, t], state)
        stepped.append(prediction)
    stepped = torch.stack(stepped, 1)
    torch.testing.assert_close(stepped[:, -1], whole, **TOLERANCE)

    traced, traced_state = model.prefixes(x)
    torch.testing.assert_close(traced, stepped, **TOLERANCE)
    torch.testing.assert_close(traced_state, state, **TOLERANCE)

    cuts = data.draw(st.lists(st.integers(0, length), max_size=3))
    state, traced = None, []
    for chunk in chunks(x, cuts):
        traced.append(model.prefixes(chunk, state)[0])
        prediction, state = model.advance(chunk, state)
    torch.testing.assert_close(prediction, whole, **TOLERANCE)
    torch.testing.assert_close(torch.cat(traced, 1), stepped, **TOLERANCE)

    lengths = torch.tensor([length, data.draw(st.integers(1, length))])
    garbage = torch.cat([x, torch.full_like(x, torch.nan)], 1)
    expected = stepped[torch.arange(2), lengths - 1]
    torch.testing.assert_close(model(garbage, lengths=lengths), expected, **TOLERANCE)
    traced, _ = model.prefixes(garbage, lengths=lengths)
    torch.testing.assert_close(traced[1, : lengths[1]], stepped[1, : lengths[1]], **TOLERANCE)
    assert not traced[1, lengths[1] :].any()


@pytest.mark.parametrize("pool", POOLS)
@settings(max_examples=10)
@given(length=st.integers(1, 10), data=st.data())
def test_a_reset_forgets_everything_before_it(pool, length, data):
    model, x = make(pool=pool), inputs(2, length)
    cut = data.draw(st.integers(0, length - 1))
    resets = torch.zeros(2, length, dtype=torch.bool)
    resets[0, cut] = True
    _, past = model.advance(inputs(2, 4))
    prediction, _ = model.advance(x, past, resets=resets)
    torch.testing.assert_close(prediction[0], model(x[:, cut:])[0], **TOLERANCE)
    torch.testing.assert_close(prediction[1], model.advance(x, past)[0][1], **TOLERANCE)
    traced, _ = model.prefixes(x, past, resets=resets)
    torch.testing.assert_close(traced[:, -1], prediction, **TOLERANCE)
    torch.testing.assert_close(traced[0, cut:], model.prefixes(x[:, cut:])[0][0], **TOLERANCE)
    if cut:
        torch.testing.assert_close(
            traced[0, :cut], model.prefixes(x[:, :cut], past)[0][0], **TOLERANCE
        )


@pytest.mark.parametrize("pool", POOLS)
def test_a_reset_in_the_padding_does_nothing(pool):
    model, x, lengths = make(pool=pool), inputs(2, 6), torch.tensor([6, 3])
    resets = torch.zeros(2, 6, dtype=torch.bool)
    resets[1, 4] = True
    torch.testing.assert_close(
        model(x, resets=resets, lengths=lengths), model(x, lengths=lengths), **TOLERANCE
    )


@pytest.mark.parametrize("pool", POOLS)
def test_empty_chunks_and_rows_that_have_ended_keep_their_prediction(pool):
    model, x = make(pool=pool), inputs(2, 5)
    before, state = model.advance(x)
    after, state = model.advance(x[:, :0], state)
    torch.testing.assert_close(after, before, **TOLERANCE)
    after, _ = model.advance(inputs(2, 4), state, lengths=torch.tensor([4, 0]))
    torch.testing.assert_close(after[1], before[1], **TOLERANCE)
    assert not torch.equal(after[0], before[0])
    none, _ = model.advance(x, lengths=torch.tensor([5, 0]))
    torch.testing.assert_close(none[1], model.head.bias)


def test_irregular_time_is_passed_on():
    model, x = make(), inputs(2, 6)
    dt = torch.rand(2, 6, dtype=torch.float64) + 0.5
    whole, state = model(x, dt=dt), model.initial_state(2)
    for t in range(6):
        prediction, state = model.step(x[:, t], state, dt=dt[:, t])
    torch.testing.assert_close(prediction, whole, **TOLERANCE)
    assert not torch.allclose(whole, model(x))


def test_gradients_flow_through_the_carried_state():
    model, x = make(), inputs(2, 8)
    model(x).sum().backward()
    whole = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()
    _, state = model.advance(x[:, :3])
    model.advance(x[:, 3:], state)[0].sum().backward()
    for name, p in model.named_parameters():
        torch.testing.assert_close(p.grad, whole[name], **TOLERANCE)


def test_states_can_be_forked_and_detached():
    model, x = make(), inputs(2, 4)
    _, state = model.advance(x)
    forked = select_rows(detach(state), torch.tensor([1, 1, 0]))
    more = inputs(3, 2)
    prediction, _ = model.advance(more, forked)
    rows = torch.cat([x[[1, 1, 0]], more], 1)
    torch.testing.assert_close(prediction, model(rows), **TOLERANCE)


def test_batch_norm_and_dropout_train_with_padding():
    model = make(norm="batch", dropout=0.2).train()
    x = inputs(4, 6)
    x[2, 3:] = torch.nan
    loss = model(x, lengths=torch.tensor([6, 6, 3, 1])).square().sum()
    loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())
    assert all(torch.isfinite(b).all() for b in model.buffers())


def test_lengths_that_pad_nothing_change_nothing_but_are_still_checked():
    model, x = make(), inputs(3, 6)
    assert torch.equal(model(x, lengths=torch.full((3,), 6)), model(x))
    for wrong in (torch.full((1,), 6), torch.full((3, 1), 6)):
        with pytest.raises(ValueError, match="lengths"):
            model(x, lengths=wrong)


@pytest.mark.parametrize("pool", POOLS)
def test_a_bidirectional_model_predicts_but_does_not_stream(pool):
    model, x = make(bidirectional=True, pool=pool), inputs(2, 6)
    padded = model(x, lengths=torch.tensor([6, 4]))
    torch.testing.assert_close(padded[1], model(x[1:, :4])[0], **TOLERANCE)
    assert not model.causal
    for call in (
        lambda: model.advance(x),
        lambda: model.prefixes(x),
        lambda: model.initial_state(2),
        lambda: model.step(x[:, 0], ModelState((None, None), ())),
    ):
        with pytest.raises(TypeError, match="reads the future"):
            call()


def test_a_single_target_needs_no_axis():
    torch.manual_seed(1)
    config = ModelConfig("S5", {"d_state": 6}, d_model=4, n_layers=1)
    scalar = build_model(config, d_input=3, n_outputs=None).double()
    torch.manual_seed(1)
    vector = build_model(config, d_input=3, n_outputs=1).double()
    x, lengths = inputs(2, 5), torch.tensor([5, 3])
    torch.testing.assert_close(scalar(x), vector(x)[:, 0])
    traced, state = scalar.prefixes(x, lengths=lengths)
    torch.testing.assert_close(traced, vector.prefixes(x, lengths=lengths)[0][..., 0])
    assert scalar.step(x[:, 0], state)[0].shape == (2,)
    traced.sum().backward()


def test_shapes_are_checked_where_the_data_enters():
    model = make()
    with pytest.raises(ValueError, match=r"x: expected shape \(b, l, 3\), got \(2, 5, 4\)"):
        model(torch.zeros(2, 5, 4).double())
    with pytest.raises(ValueError, match=r"x: expected shape \(b, 3\), got \(2, 1, 3\)"):
        model.step(torch.zeros(2, 1, 3).double(), model.initial_state(2))
    with pytest.raises(ValueError, match=r"blocks: .* one d_model, got d_model \[\]"):
        Backbone(3, [])
    with pytest.raises(ValueError, match="n_outputs: must be a positive integer, got 0"):
        SequenceModel(model.backbone, 0)
