"""Layouts on disk: both publishers, shards, pickles, and everything that must be refused."""

import json
import math
import re

import pytest
import torch
from safetensors.torch import load_file, save_file

from interop.peers import make, save
from resolvent.interop import LAYOUTS
from resolvent.model import LanguageConfig, LanguageModel

TOKENS = torch.arange(12).view(2, 6)
MAMBA = LanguageConfig(vocab_size=13, d_model=6, n_layers=2, layer_options={"Mamba": {}})
MAMBA2 = LanguageConfig(
    vocab_size=13,
    d_model=6,
    n_layers=2,
    layers=("Mamba2",),
    layer_options={"Mamba2": {"d_state": 4, "head_dim": 3, "n_groups": 2}},
)
FALCON = LanguageConfig(
    vocab_size=13, d_model=6, n_layers=2, layer_options={"Mamba": {"norm_eps": 1e-6}}
)
OF_LAYOUT = {
    "transformers-mamba": MAMBA,
    "transformers-mamba2": MAMBA2,
    "transformers-falcon-mamba": FALCON,
    "state-spaces-mamba": MAMBA,
    "state-spaces-mamba2": MAMBA2,
    "resolvent": LanguageConfig(vocab_size=11, d_model=4, n_layers=3, layers=("Mamba", "S4D")),
}


def test_every_layout_is_tried():
    assert set(OF_LAYOUT) == {*LAYOUTS, "resolvent"}


@torch.no_grad()
@pytest.mark.parametrize("layout", OF_LAYOUT)
def test_round_trip(layout, tmp_path):
    model = LanguageModel(OF_LAYOUT[layout]).eval()
    model.save_pretrained(tmp_path, layout)
    again = LanguageModel.from_pretrained(tmp_path)
    tokens = TOKENS % model.config.vocab_size
    # transformers knows no surplus rows: there the padded vocabulary is the vocabulary
    logits = again(tokens)[0][..., : model.config.vocab_size]
    torch.testing.assert_close(logits, model(tokens)[0], rtol=0, atol=0)


@pytest.fixture
def folder(tmp_path):
    LanguageModel(MAMBA).save_pretrained(tmp_path, "state-spaces-mamba")
    return tmp_path


def edit(folder, **changes):
    path = folder / "config.json"
    config = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps(config))


def test_the_published_config_of_state_spaces(folder):
    weights = load_file(folder / "model.safetensors")
    assert weights["backbone.embedding.weight"].shape == (16, 6)  # 13 rows, padded to eights
    assert weights["backbone.layers.1.mixer.conv1d.weight"].shape == (12, 1, 4)
    published = {
        "d_model": 6,
        "n_layer": 2,
        "vocab_size": 13,
        "ssm_cfg": {},
        "rms_norm": True,
        "residual_in_fp32": True,
        "fused_add_norm": True,
        "pad_vocab_size_multiple": 8,
    }
    (folder / "config.json").write_text(json.dumps(published))
    # the published files hold the tied head a second time
    head = weights["backbone.embedding.weight"].clone()
    save_file({**weights, "lm_head.weight": head}, folder / "model.safetensors")
    assert LanguageModel.from_pretrained(folder).config.d_model == 6
    save_file({**weights, "lm_head.weight": head + 1}, folder / "model.safetensors")
    with pytest.raises(ValueError, match="differs from the embedding, but the config says"):
        LanguageModel.from_pretrained(folder)


@torch.no_grad()
def test_shards(tmp_path):
    theirs = make("mamba")
    save(theirs, tmp_path, max_shard_size="20kB")
    assert (tmp_path / "model.safetensors.index.json").exists()
    ours = LanguageModel.from_pretrained(tmp_path)
    expected = theirs(TOKENS).logits
    torch.testing.assert_close(ours(TOKENS)[0], expected, rtol=1e-4, atol=1e-4)
    next(tmp_path.glob("model-00001-*")).unlink()
    with pytest.raises(FileNotFoundError):
        LanguageModel.from_pretrained(tmp_path)


def test_pickles_are_refused_with_the_remedy(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match="is a pickle, .* weights_only=True"):
        LanguageModel.from_pretrained(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rms_norm": False}, "config: rms_norm is False, only True is understood"),
        ({"attn_layer_idx": [1]}, "config: attn_layer_idx is [1]"),
        ({"ssm_cfg": {"conv_bias": False}}, "config: conv_bias is False"),
        ({"ssm_cfg": {"sparse": 1}}, "config: sparse = 1 is not understood"),
        ({"mystery": 3}, "config: mystery = 3 is not understood"),
        ({"model_type": "llama"}, "config: not a layout that is understood (model_type: llama)"),
        ({"model_type": "mamba"}, "config.json describes no model: KeyError('hidden_size')"),
        ({"n_layer": 3}, "parameters without a tensor: blocks.2.layer.A_log"),
        ({"n_layer": 1}, "unused tensors: backbone.layers.1.mixer.A_log"),
        ({"tie_embeddings": False}, "parameters without a tensor: head.weight"),
        ({"d_model": 8}, "the weights are not those of config.json"),
    ],
)
def test_what_is_not_understood_is_refused(folder, changes, message):
    edit(folder, **changes)
    with pytest.raises(ValueError, match=re.escape(message)):
        LanguageModel.from_pretrained(folder)


def test_a_tensor_too_many_is_refused(folder):
    weights = load_file(folder / "model.safetensors")
    save_file({**weights, "extra": torch.zeros(1)}, folder / "model.safetensors")
    with pytest.raises(ValueError, match="not understood, so nothing was loaded.*extra"):
        LanguageModel.from_pretrained(folder)


@pytest.mark.parametrize(
    ("config", "layout", "message"),
    [
        (MAMBA, "gguf", "layout: 'gguf' is unknown; choose one of resolvent, transformers-mamba"),
        (MAMBA2, "transformers-mamba", "holds blocks of Mamba alone"),
        (FALCON, "transformers-mamba", "is written as 'transformers-falcon-mamba'"),
        (FALCON, "state-spaces-mamba", "layout: cannot express"),
        (
            LanguageConfig(d_model=4, layer_options={"Mamba": {"eigenvalue_range": (-1, 1)}}),
            "transformers-mamba",
            "layout: cannot express {'eigenvalue_range': (-1, 1)}",
        ),
    ],
)
def test_what_a_layout_cannot_express_is_refused(config, layout, message, tmp_path):
    with pytest.raises(ValueError, match=re.escape(message)):
        LanguageModel(config).save_pretrained(tmp_path, layout)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("stored", "wanted", "found"),
    [
        (torch.bfloat16, None, torch.float32),
        (torch.float32, None, torch.float32),
        (torch.float64, None, torch.float64),
        (torch.float64, torch.float32, torch.float32),
        (torch.float32, torch.float64, torch.float64),
    ],
)
def test_precision_is_that_of_the_file_or_the_one_asked_for(stored, wanted, found, tmp_path):
    model = LanguageModel(MAMBA).to(stored)
    model.save_pretrained(tmp_path)
    again = LanguageModel.from_pretrained(tmp_path, wanted)
    for name, x in again.state_dict().items():
        assert x.dtype == found, name
        torch.testing.assert_close(x, model.state_dict()[name].to(found), rtol=0, atol=0)


def test_infinite_limits_in_either_notation(tmp_path):
    LanguageModel(MAMBA2).save_pretrained(tmp_path, "transformers-mamba2")
    edit(tmp_path, time_step_limit=[0.0, {"__float__": "Infinity"}])
    limit = LanguageModel.from_pretrained(tmp_path).config.layer_options["Mamba2"]["dt_limit"]
    assert limit == (0.0, math.inf)


def test_precisions_that_a_recurrence_cannot_take_are_refused(tmp_path):
    model = LanguageModel(MAMBA)
    model.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="dtype: expected torch.float32 or torch.float64, got"):
        LanguageModel.from_pretrained(tmp_path, torch.bfloat16)
    weights = {name: x.to(torch.int8) for name, x in model.state_dict().items()}
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=r"expected floating-point weights, got .*torch.int8"):
        LanguageModel.from_pretrained(tmp_path)
