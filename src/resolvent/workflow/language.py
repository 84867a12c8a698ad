"""From a text to a language model: tokens, windows, training, bits a byte of what was held out."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import cast

from resolvent import train as training
from resolvent.choices import LANGUAGE_MODELS, LanguageChoices
from resolvent.data import DataError
from resolvent.data.text import (
    Windows,
    digest,
    documents,
    encoded,
    make_window_loader,
    open_tokens,
    write_tokens,
)
from resolvent.model import LanguageConfig, LanguageModel
from resolvent.model.folder import CONFIG
from resolvent.model.tokenizer import FILE as TOKENIZER
from resolvent.model.tokenizer import Bytes, FromFile
from resolvent.train import FitResult, Learner, NextToken, Source, TrainConfig
from resolvent.workflow.claim import alone, claim, conclude

TOKENS = "tokens.bin"
BOUNDARY = 256
"""The token before each document of bytes."""

LOOKS = 20
"""Validations in a run, if they are cheap enough; the last step has one in any case."""

LOOK_SHARE = 0.2
"""Most time that validations take, as a share of the time that training takes."""


def language_config(
    choices: LanguageChoices, vocab_size: int, boundary: int | None
) -> LanguageConfig:
    """The model that the choices describe."""
    layers, fields = LANGUAGE_MODELS[choices.model]
    names = layers(choices.n_layers)
    return LanguageConfig(
        vocab_size=vocab_size,
        d_model=choices.d_model,
        n_layers=len(names),
        layers=names,
        dropout=choices.dropout,
        boundary=boundary,
        **fields,
    )


def fit_language(
    source: str | Path,
    choices: LanguageChoices,
    folder: Path,
    *,
    overwrite: bool = False,
    quiet: bool = False,
) -> tuple[LanguageModel, FitResult]:
    """Train a language model on a text file or a folder of them, or resume the run in ``folder``.

    The folder is a model for :meth:`LanguageModel.from_pretrained`. The tokens lie in it too, and
    are mapped into memory, so that the text may be larger than it.

    Args:
        source: where the text is.
        choices: the run's description.
        folder: where the run is written.
        overwrite: delete the run that is there.
        quiet: show no progress.

    Raises:
        DataError: there is no text, or too little.
        ValueError: the choices are impossible, or the folder holds a finished run or another one.
        TrainingInterrupted: Ctrl-C or SIGTERM, after a checkpoint.
    """
    _train_config(choices, 1)  # what is impossible is refused before the text is read
    tokenizer = Bytes() if choices.tokenizer is None else FromFile(choices.tokenizer)
    vocab_size = tokenizer.vocab_size
    boundary = BOUNDARY if isinstance(tokenizer, Bytes) else None
    known = b"" if choices.tokenizer is None else Path(choices.tokenizer).read_bytes()
    sha256, size = digest(documents(source, choices.separator), known)
    texts = documents(source, choices.separator)
    _check_length(encoded(texts, tokenizer.encode, boundary), choices.held_out, source)
    with training.deterministic():
        training.seed_all(choices.seed)
        model = LanguageModel(language_config(choices, vocab_size, boundary))
    with alone(folder):
        written = (folder / CONFIG).exists() and (folder / TOKENS).exists() and not overwrite
        data = {"source": str(source), "sha256": sha256}
        claim(folder, {"choices": asdict(choices), "data": data}, ("choices", "data"), overwrite)
        if choices.tokenizer is not None:
            shutil.copyfile(choices.tokenizer, folder / TOKENIZER)
        if not written:
            texts = documents(source, choices.separator)
            write_tokens(texts, tokenizer.encode, folder / TOKENS, vocab_size, boundary)
        tokens = open_tokens(folder / TOKENS, vocab_size)
        cut = _cut(len(tokens), choices.held_out)
        learned, held_out = (Windows(x, choices.length) for x in (tokens[:cut], tokens[cut:]))
        training.update_config(folder, language=model.config.to_dict())
        steps_per_epoch = -(-len(learned) // choices.batch_size)
        config = _train_config(choices, steps_per_epoch, len(held_out))
        result = training.fit(
            Learner(model),
            cast(Source, make_window_loader(learned, choices.batch_size, choices.seed)),
            cast(Source, make_window_loader(held_out, choices.batch_size, shuffle=False)),
            NextToken(bytes_per_token=size / len(tokens)),
            config,
            run_dir=folder,
            resume=True,
            quiet=quiet,
        )
    names = ("loss", *NextToken.names)
    scores = {name: result.best[f"valid_{name}"] for name in names}
    conclude(folder, result, {"validation": scores}, tokens=len(tokens))
    model.tokenizer = tokenizer
    return model.cpu().eval(), result


def _cut(tokens: int, held_out: float) -> int:
    """How many of the tokens are learned from; the others are held out."""
    return int(tokens * (1 - held_out))


def _check_length(pieces: Iterable[Sequence[int]], held_out: float, source: str | Path) -> None:
    """Refuse a text with nothing to predict in one of its parts; reads as little as tells.

    Raises:
        DataError: fewer than two tokens would be learned from, or held out.
    """
    count = 0
    for piece in pieces:
        count += len(piece)
        cut = _cut(count, held_out)
        if min(cut, count - cut) >= 2:
            return
    raise DataError(
        f"{source}: found {count} tokens, of which a share of {held_out} is held out; expected at "
        "least 2 of these and 2 to learn from: give a longer text or another held_out"
    )


def _train_config(choices: LanguageChoices, steps_per_epoch: int, held_out: int = 1) -> TrainConfig:
    """The schedule, with as many looks at the held-out windows as LOOK_SHARE allows.

    A step of training costs about three times what a look costs for the same windows.
    """
    total = choices.epochs * steps_per_epoch if choices.steps is None else choices.steps
    affordable = LOOK_SHARE * 3 * total * choices.batch_size / held_out
    looks = max(1, min(LOOKS, int(affordable)))
    return TrainConfig(
        steps=total,
        batch_size=choices.batch_size,
        lr=choices.lr,
        weight_decay=0.1,
        final_lr=0.1,
        validate_every=max(1, -(-total // looks)),
        seed=choices.seed,
    )
