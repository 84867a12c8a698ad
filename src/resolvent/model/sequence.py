"""From a sequence to a prediction: logits of classes, or targets of a regression.

The prediction after step t is a linear function of the features pooled over the steps up to t, so
one model classifies whole sequences in parallel, in chunks of any size, or sample by sample.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from resolvent.block import real_mask, require_causal
from resolvent.model.backbone import Backbone
from resolvent.model.config import ModelConfig
from resolvent.model.pool import make_pool
from resolvent.topology.padding import only_if_padded, zero_padding


class ModelState(NamedTuple):
    """What a model remembers between calls, of a size that never grows.

    Attributes:
        blocks: the state of every block.
        pool: what the pool keeps.
    """

    blocks: tuple[Any, ...]
    pool: tuple[Tensor, ...]


class SequenceModel(nn.Module):
    """Backbone, pool over time, linear head: (b, l, d_input) -> (b, n_outputs).

    Args:
        backbone: turns inputs into features.
        n_outputs: number of classes, or of regression targets; None for a single target without
            an axis of its own: predictions are then (b,) wherever (b, n_outputs) is said below.
        pool: one of :data:`resolvent.model.pool.POOLS`.

    Attributes:
        config: what :func:`resolvent.model.build_model` built it from; None if built by hand.
    """

    config: ModelConfig | None = None

    def __init__(self, backbone: Backbone, n_outputs: int | None, pool: str = "mean"):
        super().__init__()
        if n_outputs is not None and n_outputs < 1:
            raise ValueError(f"n_outputs: must be a positive integer, got {n_outputs!r}")
        self.d_input = backbone.d_input
        self.n_outputs = n_outputs
        self.backbone = backbone
        self.pool = make_pool(pool)
        self.head = nn.Linear(self.pool.parts * backbone.d_model, n_outputs or 1)

    @property
    def causal(self) -> bool:
        """Whether the model can be streamed."""
        return self.backbone.causal

    def forward(
        self,
        x: Tensor,
        *,
        dt: Tensor | None = None,
        resets: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> Tensor:
        """Predictions (b, n_outputs) for whole sequences x (b, l, d_input).

        The other arguments are those of :meth:`Layer.forward`. After a reset, what came before it
        no longer counts. A row without steps is predicted from zero features.
        """
        lengths = only_if_padded(lengths, x)
        y, _ = self.backbone(x, dt=dt, resets=resets, lengths=lengths)
        start = self.pool.initial_state(self.head.weight.new_zeros(len(y), y.shape[2]))
        pooled, _ = self.pool.final(y, start, resets, lengths)
        return self._predict(pooled)

    def advance(
        self,
        x: Tensor,
        state: ModelState | None = None,
        *,
        dt: Tensor | None = None,
        resets: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> tuple[Tensor, ModelState]:
        """Read one chunk of a stream: sequences of any length, in the memory that one chunk takes.

        Args:
            x: the next steps (b, l, d_input).
            state: what earlier calls returned; the initial state by default.
            dt: as in :meth:`Layer.forward`.
            resets: as in :meth:`Layer.forward`.
            lengths: as in :meth:`Layer.forward`.

        Returns:
            Predictions (b, n_outputs) from all that each row has seen, and the new state.

        Raises:
            TypeError: the model is not causal.
        """
        y, blocks, pool = self._features(x, state, dt, resets, lengths)
        pooled, pool = self.pool.final(y, pool, resets, lengths)
        return self._predict(pooled), ModelState(blocks, pool)

    def prefixes(
        self,
        x: Tensor,
        state: ModelState | None = None,
        *,
        dt: Tensor | None = None,
        resets: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> tuple[Tensor, ModelState]:
        """As :meth:`advance`, with the prediction after every step: (b, l, n_outputs)."""
        y, blocks, pool = self._features(x, state, dt, resets, lengths)
        pooled = self.pool.prefixes(y, pool, resets)
        _, pool = self.pool.final(y, pool, resets, lengths)
        return self._predict(pooled, real_mask(x, lengths)), ModelState(blocks, pool)

    def step(
        self, x_t: Tensor, state: ModelState, *, dt: Tensor | None = None
    ) -> tuple[Tensor, ModelState]:
        """One step of a stream: x_t (b, d_input), dt (b,) -> prediction (b, n_outputs), new state.

        Raises:
            TypeError: the model is not causal.
        """
        y, blocks = self.backbone.step(x_t, state.blocks, dt=dt)
        pooled, pool = self.pool.step(y, state.pool)
        return self._predict(pooled), ModelState(blocks, pool)

    def initial_state(
        self,
        batch_size: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> ModelState:
        """The state before the first step, on the model's own device and dtype by default.

        Raises:
            TypeError: the model is not causal.
        """
        blocks = self.backbone.initial_state(batch_size, device, dtype)
        rows = self.head.weight.new_zeros(batch_size, self.backbone.d_model)
        return ModelState(blocks, self.pool.initial_state(rows.to(device=device, dtype=dtype)))

    def _predict(self, pooled: Tensor, real: Tensor | None = None) -> Tensor:
        y = zero_padding(self.head(pooled), real)
        return y if self.n_outputs else y.squeeze(-1)

    def _features(
        self,
        x: Tensor,
        state: ModelState | None,
        dt: Tensor | None,
        resets: Tensor | None,
        lengths: Tensor | None,
    ) -> tuple[Tensor, tuple[Any, ...], tuple[Tensor, ...]]:
        """Features of a chunk, the blocks' new states, and the pool's old one."""
        require_causal(self)
        if state is None:
            state = self.initial_state(len(x), x.device)
        y, blocks = self.backbone(x, state.blocks, dt=dt, resets=resets, lengths=lengths)
        return y, blocks, state.pool
