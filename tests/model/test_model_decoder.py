"""A step of a whole model as one native call: the numbers of the layers, whatever the model."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from resolvent.kernels import using
from resolvent.kernels.backend import available
from resolvent.model import Decoder, LanguageConfig, LanguageModel, Sampling, read
from resolvent.model.weights import PackedLinear

native = pytest.mark.skipif(not available(), reason="there are no native kernels here")
# float32 sums of up to a hundred products in another order, through three layers
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


@st.composite
def models(draw: st.DrawFn) -> LanguageModel:
    bias = st.sampled_from(["none", "conv", "projections", "all"])
    mamba = {
        "d_state": draw(st.sampled_from([1, 5, 16])),
        "expand": draw(st.sampled_from([1, 2])),
        "d_conv": draw(st.sampled_from([1, 2, 4])),
        "dt_rank": draw(st.sampled_from([None, 3])),
        "norm_eps": draw(st.sampled_from([None, 1e-6])),
        "bias": draw(bias),
    }
    mamba2 = {
        "d_state": draw(st.sampled_from([1, 6, 16])),
        "head_dim": draw(st.sampled_from([1, 6, 9, 36])),
        "n_groups": draw(st.sampled_from([1, 2])) if draw(st.booleans()) else 1,
        "dt_limit": draw(st.sampled_from([(0.0, float("inf")), (0.01, 0.05)])),
        "bias": draw(bias),
    }
    if (36 // mamba2["head_dim"]) % mamba2["n_groups"]:
        mamba2["n_groups"] = 1
    torch.manual_seed(draw(st.integers(0, 2**16)))
    names = draw(st.sampled_from([("Mamba",), ("Mamba2",), ("Mamba", "Mamba2")]))
    options = {"Mamba": mamba, "Mamba2": mamba2}
    config = LanguageConfig(
        37, 18, 3, names, {x: options[x] for x in names}, tied=draw(st.booleans()), boundary=9
    )
    model = LanguageModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # nothing at its start, biases of zero least of all
            parameter += 0.1 * torch.randn_like(parameter)
    if storage := draw(st.sampled_from([None, "float32", "bfloat16", "int8"])):
        model.pack(storage)
    return model


@native
@settings(max_examples=40)
@given(model=models(), b=st.sampled_from([1, 2, 3, 5]), backend=st.sampled_from([*available()]))
def test_a_step_is_what_the_layers_compute(model, b, backend):
    with using(backend):
        context = read(model, [torch.arange(1 + i) for i in range(b)])
        decoder = Decoder(model, context)
        assert decoder.reason is None
        for t in range(4):
            live = torch.arange(b) % 2 == t % 2 if t < 2 and b > 1 else torch.ones(b).bool()
            tokens = torch.randint(0, 37, (b,)) if t < 3 else torch.full((b,), 9)
            decoder.read(tokens, live)
            rows = [tokens[i : i + 1] if live[i] else tokens[:0] for i in range(b)]
            context = read(model, rows, context)
        torch.testing.assert_close(decoder.context, context, **CLOSE)


@native
def test_contexts_are_values():
    model = LanguageModel(LanguageConfig(d_model=16, n_layers=2)).eval()
    start = read(model, [torch.arange(9)])
    before = [x.clone() for x in torch.utils._pytree.tree_leaves(start)]
    decoder = Decoder(model, start)
    decoder.read(torch.tensor([3]))
    middle = decoder.context
    decoder.read(torch.tensor([4]))
    for x, y in zip(before, torch.utils._pytree.tree_leaves(start), strict=True):
        assert torch.equal(x, y)
    torch.testing.assert_close(middle, read(model, [torch.tensor([3])], start), **CLOSE)
    assert decoder.context.length.tolist() == [11]
    with pytest.raises(ValueError, match="tokens: must lie in 0..255, got 256"):
        decoder.read(torch.tensor([256]))


@pytest.mark.parametrize(
    ("layers", "change", "reason"),
    [
        (("Mamba", "Attention"), lambda m: m, "Attention has no native step"),
        (("Mamba",), lambda m: m.double(), "the model is not in float32 on a CPU"),
        (("Mamba2",), lambda m: m.train(), "the model is in training mode"),
    ],
)
def test_other_models_run_layer_by_layer_and_say_why(layers, change, reason):
    config = LanguageConfig(d_model=16, n_layers=2, layers=layers)
    model = change(LanguageModel(config).eval())
    decoder = Decoder(model, read(model, [torch.arange(5)]))
    if available():
        assert decoder.reason == reason
    decoder.read(torch.tensor([7]))
    whole = read(model, [torch.tensor([0, 1, 2, 3, 4, 7])])
    torch.testing.assert_close(decoder.context, whole, **CLOSE)
    with using("torch"):
        assert Decoder(model, whole).reason == "the native kernels are not in use"


@pytest.mark.parametrize(
    ("storage", "bound"), [("float32", 1e-6), ("bfloat16", 0.02), ("int8", 0.02)]
)
@pytest.mark.parametrize("layers", [("Mamba", "Mamba2"), ("Mamba2", "Attention", "MLP")])
def test_weights_in_few_bits_change_logits_little(tmp_path, layers, storage, bound):
    torch.manual_seed(0)
    config = LanguageConfig(d_model=48, n_layers=6, layers=layers)
    model = LanguageModel(config).eval()
    model.save_pretrained(tmp_path)
    packed = LanguageModel.from_pretrained(tmp_path, weights=storage)
    tokens = torch.arange(200)[None]
    with torch.no_grad():
        exact, found = model(tokens)[0], packed(tokens)[0]
    assert (found - exact).norm() <= bound * exact.norm()
    assert storage == "float32" or not torch.equal(found, exact)
    kept = {x.dtype for x in packed.buffers()}
    assert getattr(torch, storage) in kept and not any(x.requires_grad for x in packed.parameters())
    greedy = Sampling(temperature=0)
    assert packed.generate([[1, 2], [3]], 5, greedy)[1] == packed.generate([[3]], 5, greedy)[0]
    with pytest.raises(ValueError, match="save the model before"):
        packed.save_pretrained(tmp_path / "again")
    with pytest.raises(ValueError, match="they are packed already"):
        packed.pack("int8")


def test_steps_leave_packed_weights_packed(monkeypatch):
    layers = ("Attention", "LinearAttention", "GatedDeltaProduct", "MLP", "Mamba")
    model = LanguageModel(LanguageConfig(d_model=32, n_layers=5, layers=layers)).eval()
    model.pack("int8")
    decoder = Decoder(model, read(model, [torch.arange(3)]))
    monkeypatch.setattr(PackedLinear, "weight", property(lambda _: pytest.fail("was unpacked")))
    decoder.read(torch.tensor([3]))
    assert torch.isfinite(decoder.logits).all()


def test_an_unknown_storage_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(ValueError, match="weights: 'q4' is unknown; choose one of float32"):
        LanguageModel.from_pretrained(tmp_path, weights="q4")
