"""`resolvent convert`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from tyro.conf import Positional, arg

from resolvent.cli.errors import Usage


@dataclass(frozen=True)
class Command:
    """Write a language model in another layout: ours, transformers', or that of state-spaces.

    The layout that is read is told by config.json. A model that a layout cannot express is refused,
    as is a layout that is not understood wholly; a tokenizer.json goes along.

    Attributes:
        folder: The model to read.
        out: The folder to write; it must not hold a model yet.
        to: resolvent, transformers-mamba, transformers-mamba2, transformers-falcon-mamba,
            state-spaces-mamba or state-spaces-mamba2.
    """

    EXAMPLES: ClassVar[str] = """examples:
  resolvent convert mamba-130m mamba-130m-hf --to transformers-mamba
  resolvent convert falcon-mamba-7b ours"""

    folder: Annotated[Positional[Path], arg(metavar="MODEL")]
    out: Annotated[Positional[Path], arg(metavar="OUT")]
    to: str = "resolvent"

    def run(self) -> int:
        """Read, write, copy the tokenizer."""
        import shutil

        from resolvent.interop import CONFIG
        from resolvent.model import LanguageModel
        from resolvent.model.tokenizer import FILE

        if (self.out / CONFIG).exists():
            raise Usage(f"OUT: {self.out} holds a model; choose another folder")
        model = LanguageModel.from_pretrained(self.folder)
        model.save_pretrained(self.out, self.to)
        if (self.folder / FILE).is_file():
            shutil.copyfile(self.folder / FILE, self.out / FILE)
        parameters = sum(x.numel() for x in model.parameters())
        print(f"{parameters:,} parameters as {self.to} in {self.out}")
        return 0
