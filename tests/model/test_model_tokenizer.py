"""Tokenizers from a file: found beside a model, and streamed without losing a space."""

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from resolvent.choices import LanguageChoices
from resolvent.model import LanguageConfig, LanguageModel, Sampling
from resolvent.model.tokenizer import FromFile, TextStream, find_tokenizer
from resolvent.workflow.language import fit_language

TEXT = "the cat sat on the mat, the dög sat on the log. " * 40


@pytest.fixture(params=["bytes", "words"])
def path(request, tmp_path):
    """A tokenizer of byte pairs, and one whose tokens begin with their space."""
    own = Tokenizer(models.BPE())
    if request.param == "bytes":
        own.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        own.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
    else:
        own.pre_tokenizer = pre_tokenizers.Metaspace()
        own.decoder = decoders.Metaspace()
        alphabet = []
    trainer = trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, show_progress=False)
    own.train_from_iterator([TEXT], trainer)
    own.save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "tokenizer.json"


def test_streamed_text_is_decoded_text(path):
    tokenizer = FromFile(path)
    tokens = tokenizer.encode(TEXT)
    assert tokenizer.decode(tokens) == TEXT.rstrip() or tokenizer.decode(tokens) == TEXT
    stream = TextStream(tokenizer)
    shown = "".join(stream.push(x) for x in tokens) + stream.finish()
    assert shown == tokenizer.decode(tokens)


def test_a_folder_brings_its_tokenizer(path):
    size = FromFile(path).vocab_size
    LanguageModel(LanguageConfig(size, 8, 1)).save_pretrained(path.parent)
    model = LanguageModel.from_pretrained(path.parent)
    (text,) = model.generate("the cat", 5, Sampling(temperature=0))
    tokens = model.generate([FromFile(path).encode("the cat")], 5, Sampling(temperature=0))
    assert text == FromFile(path).decode(tokens[0])


def test_training_with_a_tokenizer_scores_bytes(path, tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    sizes = {"d_model": 8, "n_layers": 1, "length": 16, "batch_size": 4, "steps": 4}
    choices = LanguageChoices(**sizes, tokenizer=str(path))
    model, result = fit_language(tmp_path / "text.txt", choices, tmp_path / "run", quiet=True)
    assert isinstance(model.tokenizer, FromFile)
    per_token = len(TEXT.encode()) / len(model.tokenizer.encode(TEXT))
    bits = result.best["valid_loss"] / 0.6931471805599453 / per_token
    assert result.best["valid_bits_per_byte"] == pytest.approx(bits, rel=1e-6)
    assert (tmp_path / "run" / "tokenizer.json").read_bytes() == path.read_bytes()


def test_a_damaged_tokenizer_is_named(tmp_path):
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match="not a tokenizer file"):
        find_tokenizer(tmp_path, 300)
    assert find_tokenizer(tmp_path / "elsewhere", 300) is None
