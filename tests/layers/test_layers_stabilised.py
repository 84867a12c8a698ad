"""Aaren is softmax attention, and mLSTM its formula without a stabiliser."""

import pytest
import torch
from torch.nn.functional import logsigmoid, scaled_dot_product_attention

from resolvent.analysis import implied_attention
from resolvent.contract import Subject
from resolvent.execute import LOWEST, running
from resolvent.layers import MLSTM, Aaren

# the same sums in another order, over tens of steps in float64
EQUAL = {"rtol": 1e-12, "atol": 1e-12}


def aaren(heads=2, d=6):
    return Subject(lambda d: Aaren(d, heads), d).layer


def attention(layer, u):
    """Causal softmax attention of PyTorch with the layer's query at every step."""
    heads, p = layer.query.shape
    k, v = (f(u).unflatten(-1, (heads, p)).transpose(1, 2) for f in (layer.key, layer.value))
    q = layer.query[:, None].expand_as(k)
    y = scaled_dot_product_attention(q, k, v, is_causal=True)
    return layer.out_proj(y.transpose(1, 2).flatten(2))


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_aaren_is_softmax_attention_with_its_gradients(scale):
    layer = aaren()
    u = (scale * torch.randn(2, 200, 6)).double().requires_grad_()
    y, expected = layer(u)[0], attention(layer, u)
    torch.testing.assert_close(y, expected, **EQUAL)
    weight = torch.randn_like(y)
    leaves = [u, *layer.parameters()]
    slopes = (torch.autograd.grad((x * weight).sum(), leaves) for x in (y, expected))
    torch.testing.assert_close(*slopes, rtol=1e-9, atol=1e-9)


def test_the_implied_attention_of_aaren_is_its_attention():
    layer, u = aaren(), torch.randn(2, 9, 6).double()
    heads, p = layer.query.shape
    scores = (layer.key(u).unflatten(-1, (heads, p)) * layer.query).sum(-1) * p**-0.5
    scores = scores.transpose(1, 2)[:, :, None].expand(-1, -1, 9, -1)
    future = torch.ones(9, 9, dtype=torch.bool).triu(1)
    expected = scores.masked_fill(future, -torch.inf).softmax(-1)
    torch.testing.assert_close(implied_attention(layer.system(u)), expected, **EQUAL)


def test_a_step_of_aaren_that_lasts_longer_weighs_more():
    layer, u = aaren(), torch.randn(1, 4, 6).double()
    held = torch.tensor([1, 3, 2, 1])
    y, _ = layer(u, dt=held[None].double())
    expected, _ = layer(u.repeat_interleave(held, 1))
    torch.testing.assert_close(y, expected[:, held.cumsum(0) - 1], **EQUAL)


@pytest.mark.parametrize("heads", [1, 2])
def test_mlstm_is_the_formula_without_a_stabiliser(heads):
    layer = Subject(lambda d: MLSTM(d, d_state=2, heads=heads), 4).layer
    with torch.no_grad():
        layer.gates.normal_()
    u, p = torch.randn(2, 15, 4).double(), 4 // heads
    sizes = [2 * heads, 2 * heads, 4, 4]
    q, k, v, o = layer.in_proj(u).split(sizes, -1)
    q, k, v = (x.unflatten(-1, (heads, -1)) for x in (q, k, v))
    logits = 15 * torch.tanh((u @ layer.gates.T + layer.gate_bias) / 15)
    i, f = logits.chunk(2, -1)
    C, n, ys = torch.zeros(2, heads, 2, p).double(), torch.zeros(2, heads, 2).double(), []
    for t in range(15):
        keep, add = (x[:, t, :, None] for x in (logsigmoid(f).exp(), i.exp()))
        C = keep[..., None] * C + (add * k[:, t] * 2**-0.5)[..., None] * v[:, t, :, None]
        n = keep * n + add * k[:, t] * 2**-0.5
        w, z = (C * q[:, t, :, :, None]).sum(2), (n * q[:, t]).sum(-1)
        ys.append((w / z.abs().clamp(min=1)[..., None]).flatten(1))
    expected = layer.out_proj(layer.norm(torch.stack(ys, 1)) * torch.sigmoid(o))
    torch.testing.assert_close(layer(u)[0], expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("layer", [Aaren, MLSTM])
def test_far_out_inputs_stay_finite(layer):
    layer = layer(4)
    u = (1e4 * torch.randn(2, 50, 4)).requires_grad_()
    y, state = layer(u)
    (y.sum() + state.h.sum()).backward()
    assert torch.isfinite(y).all() and torch.isfinite(u.grad).all()
    assert all(torch.isfinite(x.grad).all() for x in layer.parameters())


@pytest.mark.parametrize("combine", [torch.maximum, torch.logaddexp])
@pytest.mark.parametrize("length", [1, 2, 7, 64, 100])
def test_running_is_the_loop(combine, length):
    a, b = torch.randn(2, 2, length, 3).double()
    start, resets = torch.randn(2, 3).double(), torch.rand(2, length) < 0.1
    start[0] = LOWEST
    m, before = running(combine, a, b, start, resets)
    now = start
    for t in range(length):
        now = torch.where(resets[:, t, None], LOWEST, now)
        torch.testing.assert_close(before[:, t], now, **EQUAL)
        now = combine(a[:, t] + now, b[:, t])
        torch.testing.assert_close(m[:, t], now, **EQUAL)
