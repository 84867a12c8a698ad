"""`resolvent generate`: text, and a state that goes on in the next call."""

import json

import pytest
import torch

from resolvent.cli import main
from resolvent.model import LanguageConfig, LanguageModel, Sampling


@pytest.fixture
def folder(tmp_path):
    model = LanguageModel(LanguageConfig(256, 8, 2, tied=False)).eval()
    with torch.no_grad():
        model.embedding.weight *= 50
    model.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def said(capsys, *arguments) -> str:
    assert main(["generate", *map(str, arguments)]) == 0
    return capsys.readouterr().out.removesuffix("\n")


def test_text_is_that_of_the_model(folder, capsys):
    model = LanguageModel.from_pretrained(folder)
    expected = model.generate("abc", 15, Sampling(temperature=0))
    assert [
        said(capsys, folder, "--prompt", "abc", "--max-tokens", 15, "--temperature", 0)
    ] == expected
    expected = model.generate("abc", 15, Sampling(temperature=0.7, top_k=20, seed=3))
    found = said(
        capsys,
        *(folder, "--prompt", "abc", "--max-tokens", 15, "--temperature", 0.7),
        *("--top-k", 20, "--seed", 3),
    )
    assert [found] == expected


def test_weights_in_few_bits(folder, capsys):
    expected = LanguageModel.from_pretrained(folder, weights="int8").generate(
        "abc", 9, Sampling(temperature=0)
    )
    command = (folder, "--prompt", "abc", "--max-tokens", 9, "--temperature", 0)
    assert [said(capsys, *command, "--weights", "int8")] == expected


def test_a_state_goes_on(folder, capsys, tmp_path):
    model = LanguageModel.from_pretrained(folder)
    greedy = ("--max-tokens", 3, "--temperature", 0, "--state", tmp_path / "state")
    said(capsys, folder, "--prompt", "abc", *greedy)
    said(capsys, folder, *greedy)
    size = (tmp_path / "state").stat().st_size
    said(capsys, folder, "--prompt", "more text", *greedy)
    assert (tmp_path / "state").stat().st_size == size
    generation = model.stream("abc", 6, Sampling(temperature=0))
    for _ in generation:
        pass
    again = model.stream("more text", 3, Sampling(temperature=0), context=generation.context)
    for _ in again:
        pass
    from resolvent.model import load_context

    context = load_context(model, tmp_path / "state")
    torch.testing.assert_close(context.logits, again.context.logits, rtol=1e-4, atol=1e-4)
    assert context.length.tolist() == [21]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--prompt is missing"),
        (("--prompt", "x", "--top-p", "2"), "top_p: expected a share above 0, at most 1, got 2.0"),
    ],
)
def test_errors_in_one_line(folder, capsys, arguments, message):
    assert main(["generate", str(folder), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_language_model_can_be_inspected(folder, capsys, tmp_path):
    (tmp_path / "text").write_text("some text " * 30)
    arguments = (str(folder), "--text", str(tmp_path / "text"), "--tokens", "200")
    assert main(["inspect", *arguments]) == 0
    out = capsys.readouterr().out
    assert "block 1 (Mamba)" in out and "after 200 tokens" in out
    assert len(list((folder / "pictures").glob("*.svg"))) == 5


def test_a_model_is_converted_with_its_tokenizer_and_end_tokens(folder, capsys, tmp_path):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "eos_token_id": 7}))
    there, back = tmp_path / "there", tmp_path / "back"
    assert main(["convert", str(folder), str(there), "--to", "transformers-mamba"]) == 0
    assert main(["convert", str(there), str(back)]) == 0
    found, expected = (LanguageModel.from_pretrained(x) for x in (back, folder))
    assert found.end_tokens == expected.end_tokens == (7,)
    torch.testing.assert_close(found.state_dict(), expected.state_dict(), rtol=0, atol=0)
    assert main(["convert", str(there), str(back)]) == 2
    assert "holds a model" in capsys.readouterr().err
