"""`resolvent inspect`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from tyro.conf import Positional, arg

if TYPE_CHECKING:
    from resolvent.plots import Picture


@dataclass(frozen=True)
class Command:
    """Look into a trained model: eigenvalues, step sizes, impulse responses, memory, pseudospectra.

    Of layers whose system depends on the input, eigenvalues over time and the attention that they
    imply, on white noise or on the text. Of a language model also what its layers select on a text,
    whether Mamba's tokens converge or diverge, and how the states grow over it.
    Pictures go to a folder; what they say in numbers is printed.

    Attributes:
        folder: The run, or the folder of a language model.
        out: Where the pictures go; by default RUN/pictures.
        text: A text for a language model to read; by default as many random tokens as --tokens.
        tokens: Most tokens it reads.
    """

    EXAMPLES: ClassVar[str] = """examples:
  resolvent inspect runs/gunpoint
  resolvent inspect runs/gunpoint --out figures
  resolvent inspect mamba-130m --text book.txt --tokens 20000"""

    folder: Annotated[Positional[Path], arg(metavar="RUN")]
    out: Path | None = None
    text: Path | None = None
    tokens: int = 4096

    def run(self) -> int:
        """Draw, write, print."""
        from resolvent.atomic import write_atomic
        from resolvent.interop import read_config
        from resolvent.plots import to_svg

        if self.tokens < 1:
            raise ValueError(f"--tokens: expected at least 1, got {self.tokens}")
        config = read_config(self.folder)
        of_series = "model" in config
        if of_series and self.text is not None:
            raise ValueError(f"--text: {self.folder} holds a model of series, which reads no text")
        out = self.out or self.folder / "pictures"
        out.mkdir(parents=True, exist_ok=True)
        pictures = self._series() if of_series else self._language(config)
        for picture in pictures:
            name = re.sub(r"\W+", "-", picture.title.lower()).strip("-")
            write_atomic(out / f"{name}.svg", to_svg(picture.figure))
            print(f"{picture.title}\n{picture.text}\n")
        print(f"pictures in {out}")
        return 0

    def _series(self) -> list[Picture]:
        import torch

        from resolvent.plots import inspect_dynamics, inspect_model
        from resolvent.workflow import load_run

        model = load_run(self.folder).model.eval()
        noise = torch.randn(1, 64, model.d_input, generator=torch.Generator().manual_seed(0))
        return [*inspect_model(model), *inspect_dynamics(model, noise)]

    def _language(self, config: dict) -> list[Picture]:
        import torch

        from resolvent.model import LanguageModel
        from resolvent.plots import inspect_language

        model = LanguageModel.from_pretrained(self.folder)
        if self.text is None:
            generator = torch.Generator().manual_seed(0)
            size = model.config.vocab_size if model.config.boundary is None else 256
            tokens = torch.randint(0, size, (self.tokens,), generator=generator)
        else:
            tokens = torch.tensor(
                model.need_tokenizer().encode(self.text.read_text(errors="replace"))
            )
        if not len(tokens):
            raise ValueError(f"--text: {self.text} is empty; give a text to read")
        trained = config.get("choices", {}).get("length")
        return inspect_language(model, tokens[: self.tokens], trained)
