"""GRU (Cho et al. 2014), as torch.nn.GRU computes it, with a recurrence that may be head-wise.

r, z = sigma(W u + b + R h + c)                 reset and update gate
n = tanh(W_n u + b_n + r * (R_n h + c_n))
h' = z h + (1 - z) n

The parameters have torch.nn.GRU's names and shapes: its state_dict loads, and gives equal outputs.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import linear, logsigmoid

from resolvent.layers.mixer import positive_quotient
from resolvent.layers.nonlinear import NonlinearLayer, headwise, hold


class GatedLayer(NonlinearLayer):
    """What LSTM and GRU share: their parameters, named and started as in PyTorch.

    Args:
        d_model: number of features, and of hidden states.
        gates: number of gates.
        states: numbers in the state of one row.
        heads: blocks of the recurrent matrices; must divide d_model.
        execution: "auto", "loop" or "newton".

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(self, d_model: int, gates: int, states: int, heads: int, execution: str):
        super().__init__(d_model, states, None, execution)
        size = positive_quotient("heads", d_model, heads, "the features")
        self.heads, bound = heads, d_model**-0.5
        for name, shape in (
            ("weight_ih_l0", (gates * d_model, d_model)),
            ("weight_hh_l0", (gates * d_model, size)),
            ("bias_ih_l0", (gates * d_model,)),
            ("bias_hh_l0", (gates * d_model,)),
        ):
            self.declare(name, torch.empty(shape).uniform_(-bound, bound))

    def inputs(self, u: Tensor) -> Tensor:
        """The gates' share of the input, with one of the two biases."""
        return linear(u, self.weight_ih_l0, self.bias_ih_l0)

    def recurrent(self, h: Tensor) -> Tensor:
        """The gates' share of the hidden state (r, d_model), with the other bias."""
        return headwise(h, self.weight_hh_l0, self.heads) + self.bias_hh_l0


class GRU(GatedLayer):
    """Gated recurrent unit; with one head its weights are those of torch.nn.GRU.

    Args:
        d_model: number of features, and of hidden states.
        heads: blocks of the recurrent matrices; must divide d_model.
        execution: "auto" (the loop), "loop" or "newton" (dense Jacobians: for few states).
    """

    def __init__(self, d_model: int, heads: int = 1, execution: str = "auto"):
        super().__init__(d_model, 3, d_model, heads, execution)

    def cell(self, h: Tensor, x: Tensor, dt: Tensor | None = None) -> Tensor:
        """One step of the module docstring's equations."""
        (r, z, n), (r_h, z_h, n_h) = (v.chunk(3, -1) for v in (x, self.recurrent(h)))
        n = torch.tanh(n + torch.sigmoid(r + r_h) * n_h)
        keep, _ = hold(logsigmoid(z + z_h), dt)
        return n + keep * (h - n)

    def output(self, h: Tensor) -> Tensor:
        """The hidden state."""
        return h
