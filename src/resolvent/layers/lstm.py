"""LSTM (Hochreiter & Schmidhuber 1997; Gers et al. 2000), as torch.nn.LSTM computes it.

i, f, g, o = W u + b + R h + c                  R may be head-wise
c' = sigma(f) c + sigma(i) tanh(g)
h' = sigma(o) tanh(c')

The parameters have torch.nn.LSTM's names and shapes: its state_dict loads, and gives equal outputs.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from resolvent.layers.gru import GatedLayer
from resolvent.layers.nonlinear import hold


class LSTM(GatedLayer):
    """Long short-term memory; with one head its weights are those of torch.nn.LSTM.

    The state is [h, c].

    Args:
        d_model: number of features, and of hidden states.
        heads: blocks of the recurrent matrices; must divide d_model.
        execution: "auto" (the loop), "loop" or "newton" (dense Jacobians: for few states).
    """

    def __init__(self, d_model: int, heads: int = 1, execution: str = "auto"):
        super().__init__(d_model, 4, 2 * d_model, heads, execution)

    def cell(self, h: Tensor, x: Tensor, dt: Tensor | None = None) -> Tensor:
        """One step of the module docstring's equations."""
        h, c = h.chunk(2, -1)
        i, f, g, o = (x + self.recurrent(h)).chunk(4, -1)
        keep, times = hold(logsigmoid(f), dt)
        c = keep * c + times * torch.sigmoid(i) * torch.tanh(g)
        return torch.cat([torch.sigmoid(o) * torch.tanh(c), c], -1)

    def output(self, h: Tensor) -> Tensor:
        """The hidden half of the state."""
        return h[..., : self.d_model]
