"""The network of a language model: embedding, blocks, norm, head; logits and state for every token.

    x = E[token]                 for each block: x = x + layer(RMSNorm(x))
    logits = E RMSNorm(x)        E is shared by both ends if tied

The residual stream stays float32 under autocast. Hybrids are a pattern of layers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resolvent.block import MIXES, Block, make_norm, real_mask
from resolvent.execute import pack
from resolvent.layers.selective import RMSNorm
from resolvent.model.build import make_layer
from resolvent.model.config import Described, as_tuples
from resolvent.model.tokenizer import Bytes, Tokenizer
from resolvent.model.weights import PackedEmbedding, PackedLinear, pack_linear
from resolvent.topology.padding import zero_padding


@dataclass(frozen=True)
class LanguageConfig(Described):
    """What a language model is made of.

    Attributes:
        vocab_size: number of tokens; 256 for bytes, 257 with a boundary.
        d_model: features.
        n_layers: blocks in all.
        layers: names in :data:`resolvent.layers.ALL`, taken in turn until there are n_layers:
            ("Mamba",), or ("Attention", "MLP"), or ("Mamba", "Mamba", "Attention").
        layer_options: the options of each layer by its name: {"Mamba": {"d_state": 8}}.
        mix: nonlinearity and gate after a layer, one of :data:`resolvent.block.MIXES`; layers that
            bring their own take "none".
        norm_eps: of every RMS norm of the model.
        dropout: probability, one mask a row and feature for all steps.
        tied: whether embedding and head are one matrix.
        pad_vocab_to: the matrix has a multiple of this many rows; the surplus has no logits.
        boundary: a token that starts a document: the past is dropped before it. None: no such.

    Raises:
        ValueError: a number is out of range.
    """

    vocab_size: int = 256
    d_model: int = 256
    n_layers: int = 6
    layers: tuple[str, ...] = ("Mamba",)
    layer_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    mix: str = "none"
    norm_eps: float = 1e-5
    dropout: float = 0.0
    tied: bool = True
    pad_vocab_to: int = 8
    boundary: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", as_tuples(self.layers))
        object.__setattr__(self, "layer_options", as_tuples(self.layer_options))
        for name in ("vocab_size", "d_model", "n_layers", "pad_vocab_to"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name}: must be a positive integer, got {value!r}")
        if isinstance(self.layers, str) or not self.layers:
            raise ValueError(f"layers: expected one or more names of layers, got {self.layers!r}")
        if unused := sorted(set(self.layer_options) - set(self.layers)):
            raise ValueError(f"layer_options: no layer of the model is called {', '.join(unused)}")
        if self.mix not in MIXES:
            raise ValueError(f"mix: {self.mix!r} is unknown; choose one of {', '.join(MIXES)}")
        if self.boundary is not None and not 0 <= self.boundary < self.vocab_size:
            raise ValueError(f"boundary: expected a token below vocab_size, got {self.boundary!r}")


class LanguageNetwork(nn.Module):
    """Logits of the next token after every token, with a state that can be carried.

    Args:
        config: what it is made of; weights come from torch's random generator.

    Attributes:
        tokenizer: how texts become tokens; None if unknown.
        end_tokens: tokens after which nothing more is generated.
        storage: how its matrices are stored, if :meth:`pack` was called; None otherwise.

    Raises:
        ValueError: a name is unknown or a number out of range.
    """

    tokenizer: Tokenizer | None = None
    end_tokens: tuple[int, ...] = ()
    storage: str | None = None

    def __init__(self, config: LanguageConfig):
        super().__init__()
        self.config = config
        rows = -(-config.vocab_size // config.pad_vocab_to) * config.pad_vocab_to
        self.embedding = nn.Embedding(rows, config.d_model)
        self.blocks: Sequence[Block] = nn.ModuleList(  # type: ignore[assignment]
            _block(config, config.layers[i % len(config.layers)]) for i in range(config.n_layers)
        )
        self.norm = make_norm("rms", config.d_model, config.norm_eps)
        self.head = None if config.tied else nn.Linear(config.d_model, rows, bias=False)
        _initialise(self)
        if config.boundary is not None:
            self.end_tokens = (config.boundary,)
        if config.vocab_size in (256, 257):
            self.tokenizer = Bytes()

    def forward(
        self,
        tokens: Tensor,
        state: tuple[Any, ...] | None = None,
        *,
        resets: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> tuple[Tensor, tuple[Any, ...]]:
        """Logits (b, l, vocab_size) of what follows each of the tokens (b, l), and the new state.

        Args:
            tokens: (b, l) integers below vocab_size.
            state: what earlier calls returned; the initial state by default.
            resets: (b, l) bool, True where the past is dropped before the token; beside those that
                the config's boundary makes.
            lengths: (b,) integers, right padding; logits beyond a row's length are 0.

        Raises:
            ValueError: the tokens are not (b, l) integers of the vocabulary.
        """
        y, state = self.features(tokens, state, resets=resets, lengths=lengths)
        return zero_padding(self.logits(y), real_mask(tokens, lengths)), state

    def features(
        self,
        tokens: Tensor,
        state: tuple[Any, ...] | None = None,
        *,
        resets: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> tuple[Tensor, tuple[Any, ...]]:
        """What the head reads, (b, l, d_model), and the new state; arguments as in `forward`."""
        self.check(tokens)
        if self.config.boundary is not None:
            starts = tokens == self.config.boundary
            resets = starts if resets is None else resets | starts
        y, after = self.embedding(tokens.long()), []
        before = (None,) * len(self.blocks) if state is None else state
        for block, h in zip(self.blocks, before, strict=True):
            y, h = block(y, h, resets=resets, lengths=lengths)
            after.append(h)
        return self.norm(y), tuple(after)

    def logits(self, features: Tensor) -> Tensor:
        """Logits (..., vocab_size) of features (..., d_model)."""
        if self.head is not None:
            return self.head(features)[..., : self.config.vocab_size]
        return F.linear(features, self.embedding.weight)[..., : self.config.vocab_size]

    def step(self, token: Tensor, state: tuple[Any, ...]) -> tuple[Tensor, tuple[Any, ...]]:
        """One token (b,) a row: logits (b, vocab_size) and the new state."""
        y, state = self.forward(token[:, None], state)
        return y[:, 0], state

    def initial_state(
        self,
        batch_size: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> tuple[Any, ...]:
        """The blocks' states before the first token."""
        return tuple(block.initial_state(batch_size, device, dtype) for block in self.blocks)

    def need_tokenizer(self) -> Tokenizer:
        """The tokenizer.

        Raises:
            ValueError: the model has none.
        """
        if self.tokenizer is None:
            raise ValueError(
                "prompts: the model has no tokenizer, so texts cannot be read; put its "
                "tokenizer.json into the folder, set model.tokenizer, or give tokens"
            )
        return self.tokenizer

    @property
    def like(self) -> Tensor:
        """A tensor of the model's precision and device."""
        return next(self.norm.parameters())

    @property
    def grows(self) -> bool:
        """Whether the state grows with the tokens read, as a layer's does."""
        return any(getattr(block.layer, "grows", False) for block in self.blocks)

    def pack(self, storage: str) -> None:
        """Store the matrices of all linear maps, and the embedding, in few bits; for inference.

        They are read as they are wherever a few rows meet them, so that decoding, which is limited
        by reading weights, is faster by as much as they are smaller. All sums and states stay
        float32, and so does all that is not a matrix of a linear map.

        Args:
            storage: "float32", "bfloat16" (weights right to 3 digits), or "int8" (blocks of 64
                weights share a scale; right to 1/254 of a block's largest).

        Raises:
            ValueError: the storage is unknown, a weight is not finite, or it was packed before.
        """
        if self.storage is not None:
            raise ValueError(f"weights: they are packed already, as {self.storage}; load them anew")
        table = pack(self.embedding.weight, storage)
        self.head = PackedLinear(table) if self.head is None else self.head
        self.embedding = PackedEmbedding(table)
        pack_linear(self, storage)
        self.storage = storage
        self.requires_grad_(False)

    def check(self, tokens: Tensor) -> None:
        """Refuse what are not tokens (b, l).

        Raises:
            ValueError: the tokens are not (b, l) integers of the vocabulary.
        """
        if tokens.ndim != 2 or tokens.is_floating_point() or tokens.dtype == torch.bool:
            raise ValueError(
                f"tokens: expected integers (b, l), got {tokens.dtype} {tuple(tokens.shape)}"
            )
        if torch.compiler.is_compiling() or not tokens.numel():
            return
        low, high = int(tokens.min()), int(tokens.max())
        if low < 0 or high >= self.config.vocab_size:
            raise ValueError(
                f"tokens: must lie in 0..{self.config.vocab_size - 1}, got {low} to {high}; is it "
                "the tokenizer of this model?"
            )


def _block(config: LanguageConfig, name: str) -> Block:
    layer = make_layer(name, config.d_model, config.layer_options.get(name, {}))
    if not layer.causal:
        raise ValueError(f"layers: {name} reads the future; a language model takes causal layers")
    for module in layer.modules():
        if isinstance(module, RMSNorm):
            module.eps = config.norm_eps
    return Block(layer, config.mix, "rms", dropout=config.dropout, eps=config.norm_eps)


@torch.no_grad()
def _initialise(model: LanguageNetwork) -> None:
    """Embeddings of deviation 0.02, and output projections shrunk by the square root of the depth.

    As published with Mamba (after Radford et al. 2019, GPT-2).
    """
    nn.init.normal_(model.embedding.weight, std=0.02)
    for block in model.blocks:
        projection = getattr(block.layer, "out_proj", None)
        if projection is not None:
            projection.weight /= len(model.blocks) ** 0.5
