"""`resolvent generate`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from tyro.conf import Positional, arg

from resolvent.cli.errors import Usage

SMALL = 20_000_000
"""Parameters up to which the work of a token is too small to share between threads."""


@dataclass(frozen=True)
class Command:
    """Continue a text with a language model, and print it as it comes.

    MODEL is a folder: of a run of train-lm, or of a published Mamba, Mamba-2 or FalconMamba with
    config.json, model.safetensors (or shards) and tokenizer.json. With --state the model goes on
    from what the file remembers, and leaves in it what it has read and written: a context of any
    length in a file of constant size.

    Attributes:
        model: The folder.
        prompt: What to read first; - for standard input. May be empty after a --state.
        max_tokens: Most tokens to write.
        temperature: Divides the logits; 0 takes the likeliest token.
        top_k: Only so many of the likeliest tokens.
        top_p: Only the likeliest tokens that sum to this probability.
        min_p: Only tokens at least this fraction as likely as the likeliest.
        repetition_penalty: Above 1, tokens that occurred become less likely.
        stop: Strings that end the text.
        seed: Decides the draws.
        state: A file to go on from, if it is there, and to leave the state in.
        weights: How matrices are stored in memory: fewer bits are faster, and less exact. None
            leaves them as the folder has them, in at least 32 bits.
    """

    EXAMPLES: ClassVar[str] = """examples:
  resolvent generate runs/bible --prompt "In the beginning"
  resolvent generate mamba-130m --prompt - --max-tokens 200 --temperature 0 < notes.txt
  resolvent generate runs/bible --prompt "And God said" --state chat.state
  resolvent generate runs/bible --state chat.state --stop "." --seed 3
  resolvent generate mamba-130m --prompt "The state" --weights int8"""

    model: Annotated[Positional[Path], arg(metavar="MODEL")]
    prompt: str = ""
    max_tokens: int = 200
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int | None = None
    state: Path | None = None
    weights: Literal["float32", "bfloat16", "int8"] | None = None

    def run(self) -> int:
        """Read, then write until an end."""
        import torch

        from resolvent.model import LanguageModel, Sampling, load_context

        sampling = Sampling(
            self.repetition_penalty,
            self.temperature,
            self.top_k,
            self.top_p,
            self.min_p,
            self.seed,
        )
        prompt = sys.stdin.read() if self.prompt == "-" else self.prompt
        known = self.state is not None and self.state.exists()
        if not prompt and not known:
            raise Usage("--prompt is missing: give a text, or a --state file to go on from")
        model = LanguageModel.from_pretrained(self.model, weights=self.weights)
        if sum(x.numel() for x in (*model.parameters(), *model.buffers())) < SMALL:
            torch.set_num_threads(1)
        context = load_context(model, self.state) if known and self.state else None
        generation = model.stream(prompt, self.max_tokens, sampling, self.stop, context)
        if generation.decoder.reason is not None:
            reason = generation.decoder.reason
            print(f"decoding layer by layer, more slowly: {reason}", file=sys.stderr)
        for (piece,) in generation:
            print(piece, end="", flush=True)
        print()
        if self.state is not None:
            generation.context.save(self.state)
        return 0
