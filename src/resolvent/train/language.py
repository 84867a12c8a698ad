"""What a language model learns: each token from those before it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from resolvent.model import LanguageModel
from resolvent.topology.padding import real_steps, zero_padding
from resolvent.train.task import wide


class Learner(nn.Module):
    """A language model as the loop calls it: tokens in, the surprise at each of them out.

    Args:
        model: the model; its weights are stored under "model.".
    """

    def __init__(self, model: LanguageModel):
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        """Negative log-likelihoods (b, l) in nats of x[:, 1:], for tokens x (b, l + 1).

        lengths (b,) counts the predictions of each row; later ones are 0.
        """
        logits, _ = self.model(x[:, :-1], lengths=lengths)
        losses = cross_entropy(wide(logits).mT, x[:, 1:], reduction="none")
        return zero_padding(
            losses, None if lengths is None else real_steps(lengths, logits.shape[1])
        )


@dataclass(frozen=True)
class NextToken:
    """Mean surprise at the next token.

    Attributes:
        bytes_per_token: Bytes of text a token stands for on average; 1 for bytes.
        metric: Monitored by default.
    """

    bytes_per_token: float = 1.0
    metric: str = "bits_per_byte"
    names = ("bits_per_byte", "perplexity")
    unit = "tokens"

    def loss(self, output: Tensor, y: Tensor) -> Tensor:
        """Summed over all predictions of output (b, l), what `Learner` gives."""
        return output.sum()

    def count(self, y: Tensor) -> int:
        """Predictions, y (b,) of them a row."""
        return int(y.sum())

    def metrics(self, output: Tensor, y: Tensor) -> dict[str, float]:
        """Bits a byte of text, and the exponential of the mean surprise at a token."""
        nats = float(output.double().sum()) / max(int(torch.as_tensor(y).sum()), 1)
        bits = nats / math.log(2) / self.bytes_per_token
        return {"bits_per_byte": bits, "perplexity": math.exp(min(nats, 700.0))}
