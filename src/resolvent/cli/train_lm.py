"""`resolvent train-lm`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar

from tyro.conf import OmitArgPrefixes, Positional, arg

from resolvent.choices import LanguageChoices


@dataclass(frozen=True)
class Command:
    """Train a language model on a text, and write a folder for `resolvent generate`.

    SOURCE is a text file, or a folder whose files are a document each. Without a tokenizer the
    model reads bytes, of any language. The last part of the text is held out; its bits per byte are
    the score. An interrupted run goes on where it stopped when the same command is given again.

    Attributes:
        source: File or folder.
        out: The run folder; by default runs/ and the name of the source.
        overwrite: Delete the run that is there.
        quiet: Show no progress.
        choices: The model and how it is trained.
    """

    EXAMPLES: ClassVar[str] = """examples:
  resolvent train-lm bible.txt --steps 500
  resolvent train-lm notes/ --model mamba2 --d-model 256 --n-layers 6 --epochs 3
  resolvent train-lm corpus.txt --tokenizer tokenizer.json --out runs/corpus"""

    source: Annotated[Positional[Path], arg(metavar="SOURCE")]
    out: Path | None = None
    overwrite: bool = False
    quiet: bool = False
    choices: OmitArgPrefixes[LanguageChoices] = field(default_factory=LanguageChoices)

    def run(self) -> int:
        """Train, report."""
        from resolvent.workflow.language import fit_language

        folder = self.out or Path("runs") / self.source.resolve().stem
        model, result = fit_language(
            self.source, self.choices, folder, overwrite=self.overwrite, quiet=self.quiet
        )
        best = result.best
        print(f"held-out bits per byte: {best['valid_bits_per_byte']:.4g}")
        print(f"{result.status} after {result.step} steps")
        print(f"parameters {sum(x.numel() for x in model.parameters()):,}")
        print(f"run     {folder}")
        return 0
