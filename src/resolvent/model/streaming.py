"""A model made ready for streams: constants folded, one step at a time."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

from resolvent.block import require_causal
from resolvent.layers.recurrence import frozen
from resolvent.model.sequence import ModelState, SequenceModel


class Stream(nn.Module):
    """The step of a model as a module, in real arithmetic: for fast streaming and for export.

    A copy: training the model further does not reach it. States are the model's own, so a past
    may be read by ``model.advance`` and continued here.

    Args:
        model: a causal model whose layers' systems do not depend on the input.

    Raises:
        TypeError: the model is not causal, or a layer has no precomputed step.
    """

    def __init__(self, model: SequenceModel):
        super().__init__()
        require_causal(model)
        self.model = deepcopy(model).eval().requires_grad_(False)
        for block in self.model.backbone.blocks:
            block.layer = frozen(block.layer)  # type: ignore[arg-type]

    def forward(self, x_t: Tensor, state: ModelState) -> tuple[Tensor, ModelState]:
        """One step: x_t (b, d_input) -> prediction (b, n_outputs) and the new state."""
        return self.model.step(x_t, state)

    step = forward

    def initial_state(
        self,
        batch_size: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> ModelState:
        """The state before the first step, as :meth:`SequenceModel.initial_state`."""
        return self.model.initial_state(batch_size, device, dtype)
