"""Layers around a nonlinear cell: PyTorch's own cells, Newton against the loop, linearisation."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from resolvent.analysis import implied_attention
from resolvent.contract import Subject, Timing
from resolvent.contract.subject import run
from resolvent.layers import ALL, GRU, LSTM, SLSTM, Bidirectional, NonlinearLayer
from resolvent.layers.nonlinear import hold

# the same sums in another order, over tens of steps in float64
EQUAL = {"rtol": 1e-12, "atol": 1e-12}
NAMES = sorted(name for name, layer in ALL.items() if issubclass(layer, NonlinearLayer))
TWINS = {LSTM: nn.LSTM, GRU: nn.GRU}
D = 4


def twins(layer, **options):
    """A layer and PyTorch's, with the same weights."""
    theirs = TWINS[layer](D, D, batch_first=True, **options).double()
    ours = []
    for suffix in ("", "_reverse") if options else ("",):
        own = layer(D).double()
        weights = theirs.state_dict()
        own.load_state_dict({name: weights[name + suffix] for name in own.state_dict()})
        ours.append(own)
    return ours, theirs


def torch_state(h):
    """A state (b, states) as PyTorch's layers take it."""
    h, *c = h[None].split(D, -1)
    return (h.contiguous(), c[0].contiguous()) if c else h.contiguous()


@pytest.mark.parametrize("layer", TWINS)
def test_weights_of_torch_give_equal_outputs(layer):
    (ours,), theirs = twins(layer)
    u, state = torch.randn(3, 20, D).double(), ours.initial_state(3)
    state = state._replace(h=torch.randn_like(state.h))
    y, after = ours(u, state)
    expected, last = theirs(u, torch_state(state.h))
    torch.testing.assert_close(y, expected, **EQUAL)
    torch.testing.assert_close(torch_state(after.h), last, **EQUAL)


@pytest.mark.parametrize("both_ways", [False, True])
@pytest.mark.parametrize("layer", TWINS)
def test_lengths_are_packed_sequences(layer, both_ways):
    ours, theirs = twins(layer, **({"bidirectional": True} if both_ways else {}))
    u, lengths = torch.randn(3, 20, D).double(), torch.tensor([20, 1, 7])
    packed, _ = theirs(pack_padded_sequence(u, lengths, batch_first=True, enforce_sorted=False))
    expected, _ = pad_packed_sequence(packed, batch_first=True)
    y, _ = (Bidirectional(*ours) if both_ways else ours[0])(u, lengths=lengths)
    torch.testing.assert_close(y, sum(expected.split(D, -1)), **EQUAL)


@pytest.mark.parametrize("name", ["LSTM", "GRU", "SLSTM"])
def test_heads_are_blocks_of_the_recurrent_matrix(name):
    heads = Subject(lambda d: ALL[name](d, heads=2), D).layer
    whole = ALL[name](D).double()
    weights = heads.state_dict()
    key = "recurrent" if name == "SLSTM" else "weight_hh_l0"
    blocks = weights[key].view(-1, 2, D // 2, D // 2)
    weights[key] = torch.stack([torch.block_diag(*gate) for gate in blocks]).flatten(0, 1)
    whole.load_state_dict(weights)
    u = torch.randn(2, 9, D).double()
    torch.testing.assert_close(heads(u)[1], whole(u)[1], **EQUAL)


@pytest.mark.parametrize("name", NAMES)
def test_newton_is_the_loop(name):
    subject = Subject(lambda d: ALL[name](d, execution="newton"), 3)
    loop = ALL[name](3, execution="loop").double()
    loop.load_state_dict(subject.layer.state_dict())
    u, timing = subject.inputs(3, 50), subject.timing(3, 50)
    for marks in (Timing(), timing):
        found, expected = (run(x, u, subject.state(3), marks) for x in (subject.layer, loop))
        # Newton's method stops at steps of 1e-10
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_the_system_is_the_linearisation(name):
    layer = Subject(ALL[name], 2).layer
    u = torch.randn(1, 6, 2).double()
    dt = torch.rand(1, 6).double() + 0.5
    slopes = torch.autograd.functional.jacobian(lambda v: layer(v, dt=dt)[0], u)
    found = implied_attention(layer.system(u, dt))  # (b, m, q, p, i, j)
    torch.testing.assert_close(found[0, 0], slopes[0, :, :, 0].permute(1, 3, 0, 2), **EQUAL)


def test_slstm_is_the_formula_without_a_stabiliser():
    layer = Subject(SLSTM, 3).layer
    u = torch.randn(2, 12, 3).double()
    h = c = n = torch.zeros(2, 3).double()
    for t in range(12):
        gates = u[:, t] @ layer.weight.T + layer.bias + h @ layer.recurrent.T
        i, f, z, o = gates.chunk(4, -1)
        c = torch.sigmoid(f) * c + i.exp() * z.tanh()
        n = torch.sigmoid(f) * n + i.exp()
        h = torch.sigmoid(o) * c / n
    _, state = layer(u)
    torch.testing.assert_close(state.h[:, :3], h, **EQUAL)


def test_slstm_survives_gates_that_are_far_out():
    layer = SLSTM(3)
    for scale in (-1e4, 1e4):
        with torch.no_grad():
            layer.bias.fill_(scale)
        u = torch.randn(2, 12, 3, requires_grad=True)
        y, state = layer(u)
        (y.sum() + state.h[:, :9].sum()).backward()
        assert torch.isfinite(y).all() and torch.isfinite(u.grad).all()


def test_a_held_gate_is_applied_over_and_over():
    log_keep = -torch.rand(5).double()
    for k in (1, 2, 7):
        kept, times = hold(log_keep, torch.tensor(float(k)).double())
        powers = torch.stack([(j * log_keep).exp() for j in range(k + 1)])
        torch.testing.assert_close(kept, powers[k], **EQUAL)
        torch.testing.assert_close(times, powers[:k].sum(0), **EQUAL)


def test_what_is_wrong_is_said():
    with pytest.raises(ValueError, match="execution: 'scan' is unknown; choose one of auto, loop"):
        GRU(4, execution="scan")
    with pytest.raises(ValueError, match="heads: must divide the features, 4, got 3"):
        LSTM(4, heads=3)
    with pytest.raises(TypeError, match="the system of GRU depends on its input"):
        GRU(4).system()
