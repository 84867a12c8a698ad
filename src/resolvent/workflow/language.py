"""From a text to a language model: tokens, windows, training, bits a byte of what was held out."""

from __future__ import annotations

import shutil
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
"""Validations in a run."""


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
    if size * choices.held_out < 2:
        raise DataError(
            f"{source}: found {size} bytes, of which a share of {choices.held_out} is held out; "
            "expected at least 2 of these: give a longer text or a larger held_out"
        )
    with training.deterministic():
        training.seed_all(choices.seed)
        model = LanguageModel(language_config(choices, vocab_size, boundary))
    with alone(folder):
        encoded = (folder / CONFIG).exists() and (folder / TOKENS).exists() and not overwrite
        data = {"source": str(source), "sha256": sha256}
        claim(folder, {"choices": asdict(choices), "data": data}, ("choices", "data"), overwrite)
        if choices.tokenizer is not None:
            shutil.copyfile(choices.tokenizer, folder / TOKENIZER)
        if not encoded:
            texts = documents(source, choices.separator)
            write_tokens(texts, tokenizer.encode, folder / TOKENS, vocab_size, boundary)
        tokens = open_tokens(folder / TOKENS, vocab_size)
        cut = int(len(tokens) * (1 - choices.held_out))
        learned, held_out = (Windows(x, choices.length) for x in (tokens[:cut], tokens[cut:]))
        training.update_config(folder, language=model.config.to_dict())
        config = _train_config(choices, -(-len(learned) // choices.batch_size))
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


def _train_config(choices: LanguageChoices, steps_per_epoch: int) -> TrainConfig:
    total = choices.steps or choices.epochs * steps_per_epoch
    return TrainConfig(
        steps=total,
        batch_size=choices.batch_size,
        lr=choices.lr,
        weight_decay=0.1,
        final_lr=0.1,
        validate_every=max(1, total // LOOKS),
        seed=choices.seed,
    )
