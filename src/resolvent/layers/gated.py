"""Layers around a cell with a fused kernel: every gate sees all units of its head.

Where steps have lengths of their own (dt), the loop over steps runs.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import linear

from resolvent.execute import cell_scan, cell_step
from resolvent.layers.mixer import Timing, positive_quotient
from resolvent.layers.nonlinear import NonlinearLayer, log_hold


class FusedLayer(NonlinearLayer):
    """A layer whose cell has a kernel.

    Args:
        d_model: number of features, and of hidden states.
        states: arrays of d_model numbers in the state; the first is the hidden state.
        heads: blocks of the recurrent matrices; must divide d_model.
        execution: "auto" (the fused kernel), "loop" or "newton".

    Raises:
        ValueError: an argument is out of range.
    """

    kind: ClassVar[str]

    def __init__(self, d_model: int, states: int, heads: int, execution: str):
        super().__init__(d_model, states * d_model, None, execution)
        self.size = positive_quotient("heads", d_model, heads, "the features")
        self.heads = heads

    def recurrence(self) -> tuple[Tensor, Tensor | None]:
        """The recurrent matrices (gates d_model, d_model / heads), and their bias."""
        raise NotImplementedError

    def _blocks(self) -> tuple[Tensor, Tensor | None]:
        weight, bias = self.recurrence()
        return weight.view(-1, self.heads, self.size, self.size), bias

    def cell(self, h: Tensor, x: Tensor, dt: Tensor | None = None) -> Tensor:
        """One step of the module docstring's equations."""
        hold = () if dt is None else (partial(log_hold, dt=dt),)
        return cell_step(self.kind, x, *self._blocks(), h, *hold)

    def _read_out(
        self, steps: tuple[Tensor, ...], h0: Tensor, timing: Timing
    ) -> tuple[Tensor, Tensor]:
        x, *lengths_of_steps = steps
        if self.execution != "auto" or lengths_of_steps:
            return super()._read_out(steps, h0, timing)
        return cell_scan(self.kind, x, *self._blocks(), h0, timing.resets, timing.lengths)

    def output(self, h: Tensor) -> Tensor:
        """The hidden states, of those or of whole states."""
        return h[..., : self.d_model]


class GatedLayer(FusedLayer):
    """What LSTM and GRU share: their parameters, named and started as in PyTorch."""

    def __init__(self, d_model: int, gates: int, states: int, heads: int, execution: str):
        super().__init__(d_model, states, heads, execution)
        bound = d_model**-0.5
        for name, shape in (
            ("weight_ih_l0", (gates * d_model, d_model)),
            ("weight_hh_l0", (gates * d_model, self.size)),
            ("bias_ih_l0", (gates * d_model,)),
            ("bias_hh_l0", (gates * d_model,)),
        ):
            self.declare(name, torch.empty(shape).uniform_(-bound, bound))

    def inputs(self, u: Tensor) -> Tensor:
        """The gates' share of the input, with one of the two biases."""
        return linear(u, self.weight_ih_l0, self.bias_ih_l0)

    def recurrence(self) -> tuple[Tensor, Tensor | None]:
        """The recurrent matrices, with the other bias."""
        return self.weight_hh_l0, self.bias_hh_l0
