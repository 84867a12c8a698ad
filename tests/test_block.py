"""Blocks: the promises of a layer hold around every norm and mix; dropout is tied over time."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import gelu, glu, sigmoid

from resolvent.block import MIXES, NORMS, BatchNorm, Block, Mix, tied_dropout
from resolvent.layers import S4D, S5, Bidirectional

# sums of at most a few hundred terms of order one in float64
TOLERANCE = {"rtol": 1e-10, "atol": 1e-10}
VARIANTS = list(itertools.product(MIXES, NORMS, (True, False)))


def make(mix="half_glu1", norm="layer", prenorm=True, dropout=0.0, layer=None) -> Block:
    block = Block(layer or S5(4, d_state=6), mix, norm, prenorm, dropout).double()
    if norm == "batch":  # statistics that are not the initial ones
        torch.nn.init.normal_(block.norm.running_mean)
        torch.nn.init.uniform_(block.norm.running_var, 0.5, 2.0)
    return block


def inputs(b: int, length: int, d: int = 4) -> torch.Tensor:
    return torch.randn(b, length, d, dtype=torch.float64)


@pytest.mark.parametrize(("mix", "norm", "prenorm"), VARIANTS)
@settings(max_examples=5)
@given(length=st.integers(1, 9), data=st.data())
def test_steps_chunks_and_padding_agree_with_whole_sequences(mix, norm, prenorm, length, data):
    block = make(mix, norm, prenorm).eval()
    u = inputs(2, length)
    y, state = block(u)

    h, steps = block.initial_state(2), []
    for t in range(length):
        y_t, h = block.step(u[:, t], h)
        steps.append(y_t)
    torch.testing.assert_close(torch.stack(steps, 1), y, **TOLERANCE)
    torch.testing.assert_close(h, state, **TOLERANCE)

    cut = data.draw(st.integers(0, length))
    first, h = block(u[:, :cut])
    second, h = block(u[:, cut:], h)
    torch.testing.assert_close(torch.cat([first, second], 1), y, **TOLERANCE)
    torch.testing.assert_close(h, state, **TOLERANCE)

    garbage = torch.cat([u, torch.full((2, 3, 4), torch.nan).double()], 1)
    padded, h = block(garbage, lengths=torch.tensor([length, cut]))
    torch.testing.assert_close(padded[0, :length], y[0], **TOLERANCE)
    torch.testing.assert_close(padded[1, :cut], y[1, :cut], **TOLERANCE)
    assert not padded[0, length:].any() and not padded[1, cut:].any()
    torch.testing.assert_close(h.h[:1], state.h[:1], **TOLERANCE)


@pytest.mark.parametrize(("mix", "norm", "prenorm"), VARIANTS)
def test_every_variant_trains(mix, norm, prenorm):
    block = make(mix, norm, prenorm, dropout=0.1)
    u = inputs(3, 8)
    u[1, 5:] = torch.nan  # padding may hold anything, also for gradients
    optimiser = torch.optim.SGD(block.parameters(), lr=0.01)
    before = {name: p.detach().clone() for name, p in block.named_parameters()}
    y, _ = block(u, lengths=torch.tensor([8, 5, 3]))
    y.square().sum().backward()
    optimiser.step()
    for name, p in block.named_parameters():
        assert torch.isfinite(p).all(), name
        assert not torch.equal(p, before[name]), name


def test_irregular_time_and_resets_reach_the_layer():
    block = make().eval()
    u, dt = inputs(2, 6), torch.rand(2, 6, dtype=torch.float64) + 0.5
    y, _ = block(u, dt=dt)
    h = block.initial_state(2)
    for t in range(6):
        y_t, h = block.step(u[:, t], h, dt=dt[:, t])
        torch.testing.assert_close(y_t, y[:, t], **TOLERANCE)

    resets = torch.zeros(2, 6, dtype=torch.bool)
    resets[:, 3] = True
    packed, _ = block(u, resets=resets)
    torch.testing.assert_close(packed[:, 3:], block(u[:, 3:])[0], **TOLERANCE)


def test_mixes_are_the_published_equations():
    y = inputs(2, 5)
    g = gelu(y)
    mixes = {name: Mix(4, name).double() for name in MIXES}

    def linear(name):
        return mixes[name].linear(g)

    expected = {
        "none": y,
        "gelu": g,
        "glu": glu(linear("glu"), -1),
        "full_glu": glu(linear("full_glu"), -1),
        "half_glu1": g * sigmoid(linear("half_glu1")),
        "half_glu2": y * sigmoid(linear("half_glu2")),
    }
    for name, mix in mixes.items():
        torch.testing.assert_close(mix(y), expected[name])


def test_dropout_is_one_mask_a_row_and_feature():
    x = torch.ones(64, 7, 16)
    dropped = tied_dropout(x, 0.25)
    assert (dropped == dropped[:, :1]).all()
    torch.testing.assert_close(dropped.unique(), torch.tensor([0.0, 4 / 3]))
    assert (dropped[:, 0] != dropped[:1, 0]).any(), "rows must have masks of their own"
    # 1024 coins: five standard deviations around the mean
    assert abs(float((dropped[:, 0] == 0).double().mean()) - 0.25) < 5 * (0.25 * 0.75 / 1024) ** 0.5


@pytest.mark.parametrize("mix", MIXES)
def test_dropout_acts_in_training_only_and_never_in_step(mix):
    block = make(mix, dropout=0.5)
    u = inputs(2, 6)
    assert not torch.equal(block(u)[0], block(u)[0])
    step, _ = block.step(u[:, 0], block.initial_state(2))
    block.eval()
    torch.testing.assert_close(block(u)[0], block(u)[0], rtol=0, atol=0)
    torch.testing.assert_close(step, block(u)[0][:, 0], **TOLERANCE)


def test_batch_norm_sees_real_steps_only():
    ours, reference = BatchNorm(4).double(), torch.nn.BatchNorm1d(4).double()
    x = inputs(3, 7)
    lengths = torch.tensor([7, 2, 0])
    real = (torch.arange(7) < lengths[:, None])[..., None]
    x = torch.where(real, x, torch.nan)
    for _ in range(3):
        y = ours(x, real)
        torch.testing.assert_close(y[real[..., 0]], reference(x[real[..., 0]]))
    torch.testing.assert_close(ours.running_mean, reference.running_mean)
    torch.testing.assert_close(ours.running_var, reference.running_var)


def test_batch_norm_without_a_batch_uses_what_it_knows():
    norm = BatchNorm(4)
    for x in (torch.randn(1, 1, 4), torch.randn(0, 5, 4)):
        torch.testing.assert_close(norm(x), x, rtol=1e-4, atol=1e-4)  # mean 0, variance 1, eps 1e-5
    assert not norm.running_mean.any() and (norm.running_var == 1).all()


def test_a_bidirectional_block_runs_but_has_no_step():
    block = make(layer=Bidirectional(S4D(4, d_state=4), S4D(4, d_state=4))).eval()
    u = inputs(2, 6)
    y, state = block(u, lengths=torch.tensor([6, 4]))
    torch.testing.assert_close(y[1, :4], block(u[1:, :4])[0][0], **TOLERANCE)
    assert state is None and not block.causal
    with pytest.raises(TypeError, match="reads the future"):
        block.step(u[:, 0], None)
    with pytest.raises(TypeError, match="reads the future"):
        block.initial_state(2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mix": "swish"}, "mix: 'swish' is unknown; choose one of none, gelu"),
        ({"norm": "group"}, "norm: 'group' is unknown; choose one of layer"),
        ({"dropout": 1.0}, r"dropout: must be a probability in \[0, 1\), got 1.0"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)


def test_lengths_of_another_batch_are_refused():
    with pytest.raises(ValueError, match=r"lengths: expected shape \(2,\)"):
        make()(inputs(2, 5), lengths=torch.tensor([5, 5, 5]))
