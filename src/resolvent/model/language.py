"""Language models as people use them: texts in and out, folders, weights in few bits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import torch

from resolvent.model.context import Context
from resolvent.model.generation import Generation, Prompts
from resolvent.model.network import LanguageNetwork
from resolvent.model.pretrained import load_pretrained, save_pretrained
from resolvent.model.sampling import Sampling


class LanguageModel(LanguageNetwork):
    """Logits of the next token after every token, with a state that can be carried; and text.

    Args:
        config: what it is made of; weights come from torch's random generator.

    Raises:
        ValueError: a name is unknown or a number out of range.
    """

    def stream(
        self,
        prompts: Prompts,
        max_tokens: int = 128,
        sampling: Sampling | None = None,
        stop: str | Sequence[str | int] = (),
        context: Context | None = None,
    ) -> Generation:
        """Text as it comes; arguments and iterator as :class:`resolvent.model.Generation`."""
        return Generation(self, prompts, max_tokens, sampling, stop, context)

    def generate(
        self,
        prompts: Prompts,
        max_tokens: int = 128,
        sampling: Sampling | None = None,
        stop: str | Sequence[str | int] = (),
        context: Context | None = None,
    ) -> list:
        """What follows each prompt: a text a row, or a list of tokens a row if tokens are given.

        Arguments as in :class:`resolvent.model.Generation`.
        """
        generation = self.stream(prompts, max_tokens, sampling, stop, context)
        for _ in generation:
            pass
        return generation.pieces

    @classmethod
    def from_pretrained(
        cls, folder: str | Path, dtype: torch.dtype | None = None, weights: str | None = None
    ) -> Self:
        """Read a model folder of any layout of :data:`resolvent.interop.LAYOUTS`, or of our own.

        Args:
            folder: a local path with config.json and safetensors.
            dtype: of the weights here; None: that of the file, but at least float32.
            weights: how matrices are stored, "float32", "bfloat16" or "int8", for inference, see
                :meth:`pack`; None: in ``dtype``, and they can be trained.

        Raises:
            FileNotFoundError: a file is missing.
            ValueError: the layout is not understood, wholly, or the weights' storage is unknown;
                nothing is then loaded.
        """
        return load_pretrained(cls, folder, dtype, weights)

    def save_pretrained(self, folder: str | Path, layout: str = "resolvent") -> None:
        """Write config.json and model.safetensors.

        Args:
            folder: made if it does not exist.
            layout: "resolvent", or one of :data:`resolvent.interop.LAYOUTS`.

        Raises:
            ValueError: the layout is unknown, cannot express this model, or its weights are packed.
        """
        save_pretrained(self, folder, layout)
