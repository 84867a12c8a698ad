"""Text in, language model out: tokens on disk, no leakage between documents, resumption."""

import json

import numpy as np
import pytest
import tokenizers
import torch
from tokenizers.models import WordLevel

from resolvent.choices import LANGUAGE_MODELS, LanguageChoices
from resolvent.cli import main
from resolvent.data import DataError
from resolvent.data.text import (
    Windows,
    digest,
    documents,
    make_window_loader,
    open_tokens,
    write_tokens,
)
from resolvent.model import LanguageConfig, LanguageModel
from resolvent.model.tokenizer import Bytes
from resolvent.train import Learner, NextToken
from resolvent.workflow.language import _train_config, fit_language, language_config

TEXT = "the cat sat on the mat. the dog sat on the log.\n" * 60
TINY = {"d_model": 8, "n_layers": 1, "length": 32, "batch_size": 4}


@pytest.fixture
def text(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    return tmp_path / "text.txt"


def test_documents_become_tokens_and_windows(tmp_path):
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "b.txt").write_text("second")
    (tmp_path / "texts" / "a.txt").write_text("füü")
    path = tmp_path / "tokens"
    write_tokens(documents(tmp_path / "texts"), Bytes().encode, path, 257, 256)
    tokens = open_tokens(path, 257)
    assert isinstance(tokens, np.memmap)
    assert tokens.tolist() == [256, *"füü".encode(), 256, *b"second"]
    loader = make_window_loader(Windows(tokens, 5), 2, shuffle=False)
    x, lengths, y, index = (torch.cat(v) for v in zip(*loader, strict=True))
    assert lengths.tolist() == y.tolist() == [5, 5, 2] and index.tolist() == [0, 1, 2]
    # every token but the first is predicted once
    predicted = [t for row, n in zip(x.tolist(), lengths, strict=True) for t in row[1 : n + 1]]
    assert predicted == tokens.tolist()[1:]


def test_texts_are_told_apart():
    found, size = digest(["füü", "second"])
    assert size == len("füüsecond".encode()) and found == digest(["füü", "second"])[0]
    others = [["füüsecond"], ["füüs", "econd"], ["second", "füü"], ["füü", "second", ""]]
    assert len({found, digest(["füü", "second"], b"x")[0], *(digest(x)[0] for x in others)}) == 6


def test_a_separator_and_long_documents(tmp_path, monkeypatch):
    monkeypatch.setattr("resolvent.data.text.BLOCK", 10)
    (tmp_path / "x").write_text("one\n---\n" + "two lines\n" * 9)
    path = tmp_path / "tokens"
    write_tokens(documents(tmp_path / "x", "---\n"), Bytes().encode, path, 257, 256)
    assert open_tokens(path, 257).tolist() == [256, *b"one\n", 256, *(b"two lines\n" * 9)]


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_no_text_is_named(tmp_path, name):
    (tmp_path / "empty").write_text("")
    with pytest.raises(DataError, match="source: "):
        list(documents(tmp_path / name))


@pytest.mark.parametrize("layers", [("Mamba",), ("Attention", "MLP"), ("H3", "Mamba2")])
def test_packed_documents_do_not_leak(layers):
    config = LanguageConfig(257, 8, 2, layers=layers, boundary=256)
    learner = Learner(LanguageModel(config).double())
    first, other = (torch.randint(0, 256, (1, 20)) for _ in range(2))
    second, start = torch.randint(0, 256, (1, 15)), torch.tensor([[256]])
    losses = [learner(torch.cat([start, x, start, second], 1)) for x in (first, other)]
    alone = learner(torch.cat([start, second], 1))
    # the predictions of the second document, its boundary token being the first of its inputs
    for found in losses:
        torch.testing.assert_close(found[:, -15:], alone, rtol=1e-10, atol=1e-10)
    embedding = learner.model.embedding.weight
    gradient = torch.autograd.grad(losses[0][:, -15:].sum(), embedding)[0]
    expected = torch.autograd.grad(alone.sum(), embedding)[0]
    torch.testing.assert_close(gradient, expected, rtol=1e-9, atol=1e-9)


def test_losses_are_cross_entropies_and_bits():
    model = LanguageModel(LanguageConfig(257, 8, 1)).eval()
    x = torch.randint(0, 256, (2, 9))
    losses = Learner(model)(x, lengths=torch.tensor([8, 3]))
    chances = model(x[:, :-1])[0].log_softmax(-1)
    expected = -chances.gather(-1, x[:, 1:, None])[..., 0]
    torch.testing.assert_close(losses[0], expected[0])
    torch.testing.assert_close(losses[1, :3], expected[1, :3])
    assert not losses[1, 3:].any()
    task = NextToken(bytes_per_token=2.0)
    found = task.metrics(torch.full((2, 4), np.log(8.0)), torch.tensor([4, 4]))
    assert found == pytest.approx({"bits_per_byte": 1.5, "perplexity": 8.0})


def test_a_run_learns_and_its_folder_is_a_model(text, tmp_path):
    choices = LanguageChoices(**TINY, steps=40, lr=1e-2)
    model, result = fit_language(text, choices, tmp_path / "run", quiet=True)
    first, last = result.history[0], result.history[-1]
    assert last["valid_bits_per_byte"] < 0.8 * first["valid_bits_per_byte"]
    again = LanguageModel.from_pretrained(tmp_path / "run")
    tokens = torch.tensor([[256, *b"the cat"]])
    torch.testing.assert_close(again(tokens)[0], model(tokens)[0], rtol=0, atol=0)
    assert again.tokenizer is not None and again.end_tokens == (256,)
    scores = json.loads((tmp_path / "run" / "scores.json").read_text())
    assert scores["validation"]["bits_per_byte"] == result.best["valid_bits_per_byte"]
    with pytest.raises(ValueError, match="the run here is finished"):
        fit_language(text, choices, tmp_path / "run", quiet=True)


def test_an_interrupted_run_goes_on_to_the_same_weights(text, tmp_path, monkeypatch):
    from resolvent.train.loop import _Run

    choices = LanguageChoices(**TINY, steps=6)
    whole, _ = fit_language(text, choices, tmp_path / "whole", quiet=True)
    original = _Run.step

    def breaks(self, *arguments):
        if self.state.step == 3:
            self.checkpoint()
            raise KeyboardInterrupt
        return original(self, *arguments)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(_Run, "step", breaks)
        fit_language(text, choices, tmp_path / "cut", quiet=True)
    with pytest.raises(ValueError, match="an unfinished run with lr 0.003 is here"):
        other = LanguageChoices(**TINY, steps=6, lr=1.0)
        fit_language(text, other, tmp_path / "cut", quiet=True)
    known = text.read_text()
    text.write_text(known.upper())
    with pytest.raises(ValueError, match="an unfinished run with sha256 .* is here"):
        fit_language(text, choices, tmp_path / "cut", quiet=True)
    text.write_text(known)
    with monkeypatch.context() as patch:
        patch.setattr("resolvent.workflow.language.write_tokens", None)  # they are there
        resumed, _ = fit_language(text, choices, tmp_path / "cut", quiet=True)
    for name, x in whole.state_dict().items():
        assert x.equal(resumed.state_dict()[name]), name


@pytest.mark.parametrize("name", LANGUAGE_MODELS)
@pytest.mark.parametrize("depth", [1, 4])
def test_every_model_by_name_trains_a_step(name, depth):
    choices = LanguageChoices(name, d_model=8, n_layers=depth)
    learner = Learner(LanguageModel(language_config(choices, 257, 256)))
    learner(torch.randint(0, 256, (2, 12))).mean().backward()
    for key, x in learner.named_parameters():
        assert x.grad is not None and torch.isfinite(x.grad).all(), key
    if name == "h3-hybrid" and depth == 4:
        config = learner.model.config
        assert config.layers[::2] == ("H3", "Attention", "H3", "Attention")


def test_train_lm_and_generate(text, tmp_path, capsys):
    folder = str(tmp_path / "run")
    options = ["--steps", "3", "--d-model", "8", "--n-layers", "1", "--length", "16"]
    assert main(["train-lm", str(text), "--out", folder, "--quiet", *options]) == 0
    assert "held-out bits per byte: " in capsys.readouterr().out
    assert main(["generate", folder, "--prompt", "the ", "--max-tokens", "5", "--seed", "0"]) == 0
    assert main(["train-lm", str(text), "--out", folder, "--model", "gpt"]) == 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model": "gpt"}, "model: 'gpt' is unknown; choose one of mamba, mamba2"),
        ({"held_out": 0.0}, "held_out: expected a share between 0 and 1"),
        ({"length": 0}, "length: must be at least 1"),
    ],
)
def test_impossible_choices_are_named(fields, message):
    with pytest.raises(ValueError, match=message):
        LanguageChoices(**fields)


@pytest.mark.parametrize(
    ("length", "fields", "message"),
    [
        (19, {}, "found 20 tokens, of which a share of 0.05"),
        (400, {"held_out": 0.999}, "found 401 tokens, of which a share of 0.999"),
        (400, {"steps": 0}, "steps=0: expected"),
        (400, {"tokenizer": "words.json"}, "found 1 tokens"),
    ],
)
def test_what_cannot_be_trained_leaves_nothing(tmp_path, monkeypatch, length, fields, message):
    monkeypatch.chdir(tmp_path)
    tokenizers.Tokenizer(WordLevel({"?": 0}, unk_token="?")).save("words.json")
    (tmp_path / "text").write_text("x" * length)
    choices = LanguageChoices(d_model=8, n_layers=1, length=8, **fields)
    with pytest.raises(ValueError, match=message):
        fit_language(tmp_path / "text", choices, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("steps", "held_out", "looks"), [(100, 10, 20), (100, 240, 4), (100, 10**6, 1), (7, 1, 7)]
)
def test_validations_take_at_most_their_share(steps, held_out, looks):
    choices = LanguageChoices(steps=steps, batch_size=16)
    config = _train_config(choices, 1, held_out)
    assert config.validate_every is not None and -(-steps // config.validate_every) == looks
