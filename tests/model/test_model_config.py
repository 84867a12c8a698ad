"""Configurations are values, models come from them, and a folder gives back the same model."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from resolvent.block import Block
from resolvent.layers import INVARIANT, S4D, Bidirectional
from resolvent.model import (
    Backbone,
    ModelConfig,
    SequenceModel,
    build_model,
    load_model,
    save_model,
)

CONFIG = ModelConfig("S4D", {"d_state": 4, "init": ["lin", "inv"]}, d_model=4, n_layers=2)


@pytest.mark.parametrize("layer", INVARIANT)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_every_layer_can_be_named(layer, bidirectional):
    config = ModelConfig(layer, {"d_state": 4}, 6, 3, bidirectional, pool="last")
    model = build_model(config, d_input=2, n_outputs=7)
    assert model(torch.randn(3, 5, 2)).shape == (3, 7)
    assert len(model.backbone.blocks) == 3
    assert isinstance(
        model.backbone.blocks[0].layer, Bidirectional if bidirectional else INVARIANT[layer]
    )


def test_json_round_trip():
    text = json.dumps(CONFIG.to_dict())
    assert ModelConfig.from_dict(json.loads(text)) == CONFIG
    assert ModelConfig.from_dict({}) == ModelConfig()
    assert CONFIG.layer_options["init"] == ("lin", "inv")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (ModelConfig("S9"), "layer: 'S9' is unknown; choose one of S4D, DSS"),
        (
            ModelConfig("S4D", {"d_stat": 4}),
            "layer_options: S4D does not take d_stat; it takes d_state, init",
        ),
        (ModelConfig(n_layers=0), "n_layers: must be a positive integer, got 0"),
        (ModelConfig(pool="median"), "pool: 'median' is unknown; choose one of mean, last"),
        (ModelConfig(mix="swish"), "mix: 'swish' is unknown"),
        (ModelConfig(d_model=0), "d_model: must be a positive integer, got 0"),
    ],
)
def test_bad_configurations_are_named(config, message):
    with pytest.raises(ValueError, match=message):
        build_model(config, d_input=2, n_outputs=2)


def test_unknown_fields_and_objects_are_refused():
    with pytest.raises(ValueError, match="depth: unknown; the fields are layer, layer_options"):
        ModelConfig.from_dict({"depth": 4})
    with pytest.raises(TypeError, match=r"layer_options\['init'\]: function cannot be written"):
        ModelConfig("S4D", {"init": lambda n: None}).to_dict()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_folder_gives_back_the_same_model(tmp_path, dtype):
    config = ModelConfig("S5", {"d_state": 4}, 4, 2, norm="batch", dropout=0.1)
    model = build_model(config, d_input=2, n_outputs=3).to(dtype)
    x = torch.randn(4, 9, 2, dtype=dtype)
    model(x)  # moves the running statistics
    (tmp_path / "config.json").write_text('{"train": {"seed": 1}}')
    save_model(model, tmp_path)
    loaded = load_model(tmp_path)
    assert loaded.config == config and not loaded.training
    torch.testing.assert_close(loaded(x), model.eval()(x), rtol=0, atol=0)
    assert json.loads((tmp_path / "config.json").read_text())["train"] == {"seed": 1}


def test_models_built_by_hand_are_not_described(tmp_path):
    by_hand = SequenceModel(Backbone(2, [Block(S4D(4, d_state=4))]), n_outputs=2)
    with pytest.raises(ValueError, match="built by hand"):
        save_model(by_hand, tmp_path)


def test_damaged_folders_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "nowhere")
    save_model(build_model(CONFIG, 2, 3), tmp_path)
    weights, description = tmp_path / "model.safetensors", tmp_path / "config.json"

    tensors = load_file(weights)
    fewer = {name: x for name, x in tensors.items() if name != "head.bias"}
    for wrong, name in ((fewer, "head.bias"), ({**tensors, "extra": torch.zeros(1)}, "extra")):
        save_file(wrong, weights)
        with pytest.raises(ValueError, match=f"(?s)weights are not those of .*{name}"):
            load_model(tmp_path)
    weights.write_bytes(b"not a file of tensors")
    with pytest.raises(ValueError, match="not a safetensors file"):
        load_model(tmp_path)

    for text in ("{", "{}", '{"model": 3}', '{"model": {"config": {"x": 1}}}', "[]"):
        description.write_text(text)
        with pytest.raises(ValueError, match="describes no model"):
            load_model(tmp_path)
