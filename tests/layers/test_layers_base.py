"""What every layer says at its boundary: errors, optimiser rules, states as values."""

import inspect

import pytest
import torch

from layers.cases import CAUSAL, EXECUTIONS, PLAIN
from resolvent.layers import (
    ALL,
    MLP,
    S4D,
    Attention,
    Hyena,
    Layer,
    LinearAttention,
    LongConv,
    Mamba,
    Mamba2,
    Rule,
    State,
    detach,
    load_state,
    save_state,
    select_rows,
)


@pytest.fixture(params=PLAIN)
def layer(request):
    return PLAIN[request.param](3)


@pytest.fixture(params=CAUSAL)
def causal_layer(request):
    return CAUSAL[request.param](3)


@pytest.mark.parametrize("name", [x for x, make in PLAIN.items() if make.func in EXECUTIONS])
def test_every_parameter_has_a_rule(name):
    layer = PLAIN[name](3)
    assert set(layer.rules) == {name for name, _ in layer.named_parameters()}
    assert all(isinstance(rule, Rule) for rule in layer.rules.values())
    # dynamics learn slowly and are not decayed (S4D, section 4); readouts are free
    assert layer.rules["D"] == Rule(None, None)
    slow = [name for name, rule in layer.rules.items() if rule.max_lr is not None]
    assert slow and all(layer.rules[name].weight_decay == 0.0 for name in slow)


def test_parameters_are_real_and_contiguous(layer):
    for name, x in layer.named_parameters():
        assert not x.is_complex() and x.is_contiguous(), name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"u": torch.zeros(2, 5)}, r"u: expected \(batch, length, 3\), got \(2, 5\)"),
        ({"u": torch.zeros(2, 5, 4)}, r"u: expected \(batch, length, 3\), got \(2, 5, 4\)"),
        ({"dt": torch.ones(2)}, r"dt: expected shape \(2, 5\), got \(2,\)"),
        ({"dt": torch.zeros(2, 5)}, "dt: expected positive, finite factors of the step size"),
        ({"dt": torch.full((2, 5), torch.nan)}, "dt: expected positive, finite"),
        ({"dt": torch.full((2, 5), torch.inf)}, "dt: expected positive, finite"),
        ({"dt": -torch.ones(2, 5)}, "dt: expected positive, finite"),
        ({"resets": torch.zeros(2, 5)}, "resets: expected bool, got torch.float32"),
        ({"resets": torch.zeros(5, dtype=torch.bool)}, "resets: expected shape"),
        ({"lengths": torch.tensor([1])}, r"lengths: expected shape \(2,\), got \(1,\)"),
        ({"lengths": torch.tensor([1.0, 2.0])}, "lengths: expected integers"),
        ({"lengths": torch.tensor([True, False])}, "lengths: expected integers"),
        ({"lengths": torch.tensor([1, 6])}, r"lengths: must lie in 0\.\.5, got values from 1 to 6"),
        ({"lengths": torch.tensor([-1, 5])}, r"lengths: must lie in 0\.\.5, got values from -1"),
    ],
)
def test_wrong_arguments_are_named(layer, arguments, message):
    given = {"u": torch.zeros(2, 5, 3), **arguments}
    with pytest.raises(ValueError, match=message):
        layer(given.pop("u"), **given)


def test_unknown_names_are_errors(layer):
    with pytest.raises(TypeError):
        layer(torch.zeros(1, 2, 3), mask=None)
    with pytest.raises(TypeError):
        type(layer)(3, n_state=4)


@pytest.mark.parametrize("d_model", [0, -1, 2.0, "3"])
def test_d_model_must_be_a_positive_integer(layer, d_model):
    with pytest.raises(ValueError, match=f"d_model: must be a positive integer, got {d_model!r}"):
        type(layer)(d_model)


@pytest.mark.parametrize("d_state", [0, -2, 1.5])
@pytest.mark.parametrize(
    "name", [x for x, make in ALL.items() if "d_state" in inspect.signature(make).parameters]
)
def test_d_state_must_be_a_positive_integer(name, d_state):
    with pytest.raises((ValueError, TypeError), match="d_state|n must|n:"):
        ALL[name](3, d_state=d_state)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LongConv(3, 0), "length: must be a positive integer, got 0"),
        (lambda: LongConv(3, 9, smooth=2), "smooth: must be an odd positive integer, got 2"),
        (lambda: LongConv(3, 9, squash=0.1), "the initial kernel is 0, and so is its gradient"),
        (lambda: Hyena(3, -1), "length: must be a positive integer, got -1"),
        (lambda: Hyena(3, bands=0), "bands: must be a positive integer, got 0"),
        (lambda: Attention(3, 2), "n_heads: must divide d_model, 3, got 2"),
        (lambda: Attention(3, 0), "n_heads: must divide d_model, 3, got 0"),
        (lambda: Attention(3, window=0), "window: must be a positive integer or None, got 0"),
        (lambda: LinearAttention(3, 2), "n_heads: must divide d_model, 3, got 2"),
        (lambda: LinearAttention(3, decay="most"), "decay: 'most' is unknown; choose one of none"),
        (lambda: MLP(3, 0), "expand: must give at least one inner feature, got 0"),
        (lambda: Mamba(3, bias="some"), "bias: 'some' is unknown; choose one of none, conv"),
        (lambda: Mamba(3, eigenvalue_range=(0, 2)), r"must be \(0, 1\) or \(-1, 1\), got \(0, 2\)"),
        (lambda: Mamba(3, d_conv=0), "width: must be a positive integer, got 0"),
        (lambda: Mamba2(3, head_dim=4), "head_dim: must divide the inner features, 6, got 4"),
        (lambda: Mamba2(3, head_dim=3, n_groups=3), "n_groups: must divide the heads, 2, got 3"),
    ],
)
def test_impossible_sizes_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_step_wants_one_step(causal_layer):
    with pytest.raises(ValueError, match=r"u_t: expected \(b, 3\), got \(1, 1, 3\)"):
        causal_layer.step(torch.zeros(1, 1, 3), causal_layer.initial_state(1))


def test_unknown_names_of_choices():
    with pytest.raises(ValueError, match="rule: 'tustin' is unknown"):
        S4D(3, rule="tustin")
    with pytest.raises(ValueError, match="'hippo'"):
        S4D(3, init="hippo")
    with pytest.raises(ValueError, match="execution: 'fft' is unknown"):
        S4D(3, execution="fft")(torch.zeros(1, 4, 3))


def test_states_are_values(causal_layer, tmp_path):
    u = torch.randn(3, 8, 3)
    _, state = causal_layer(u)
    assert isinstance(state, State)
    assert all(not x.is_complex() and x.shape[0] == 3 for x in (state.h, *state.memory))
    save_state(state, tmp_path / "state.safetensors")
    restored = load_state(
        tmp_path / "state.safetensors", causal_layer.initial_state(1), causal_layer.grows
    )
    assert torch.equal(restored.h, state.h)
    picked = select_rows(state, torch.tensor([2, 0]))
    assert torch.equal(picked.h, state.h[[2, 0]])
    assert not detach(state).h.requires_grad


def test_a_state_of_another_layer_is_refused(tmp_path):
    save_state(S4D(3, 4).initial_state(2), tmp_path / "state.safetensors")
    with pytest.raises(ValueError, match="it was saved from another layer or model"):
        load_state(tmp_path / "state.safetensors", like=S4D(3, 8).initial_state(1))


def test_initial_state_follows_device_and_dtype(causal_layer: Layer):
    assert causal_layer.initial_state(2).h.dtype == torch.float32
    assert causal_layer.initial_state(2, dtype=torch.float64).h.dtype == torch.float64
    assert causal_layer.initial_state(2, device="meta").h.device.type == "meta"
    assert causal_layer.double().initial_state(0).h.shape[0] == 0


def test_the_seed_decides_the_weights(layer):
    def weights(seed):
        torch.manual_seed(seed)
        return type(layer)(3).state_dict()

    first, again, other = weights(0), weights(0), weights(1)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


def test_step_ignores_a_named_execution():
    # a convolution of one step would still build a kernel: streaming always runs the definition
    u, layer = torch.randn(2, 3), S4D(3, 4, execution="convolve")
    y, state = layer.step(u, layer.initial_state(2), dt=torch.tensor([0.5, 2.0]))
    layer.execution = "auto"
    expected, _ = layer.step(u, layer.initial_state(2), dt=torch.tensor([0.5, 2.0]))
    assert torch.equal(y, expected)
