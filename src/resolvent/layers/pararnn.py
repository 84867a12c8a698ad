"""ParaGRU and ParaLSTM (Danieli et al. 2025, "ParaRNN"): gates that see their own feature alone.

ParaGRU    z, r = sigma(a h + B u + b)          a is diagonal, B has one block a head
           n = tanh(a_n r h + B_n u + b_n)
           h' = (1 - z) h + z n
ParaLSTM   f = sigma(a_f h + B_f u + b_f + c_f c)
           g = tanh(a_g h + B_g u + b_g)
           c' = f c + (1 - f) g
           o = sigma(a_o h + B_o u + b_o + c_o c')
           h' = o tanh(c')

The Jacobians are diagonal, or made of 2 x 2 blocks, and Newton's method solves a sequence in a few
linear scans. States stay in [-1, 1] once they are there, and iterates are kept there.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from resolvent.execute import NewtonOptions
from resolvent.layers.mixer import positive_quotient
from resolvent.layers.nonlinear import NonlinearLayer, hold


class DiagonalCell(NonlinearLayer):
    """What both share: three gates, diagonal recurrent weights, block-diagonal input weights.

    Args:
        d_model: number of features.
        block: states of one feature.
        heads: blocks of the input matrices; must divide d_model.
        execution: "auto", "loop" or "newton".

    Raises:
        ValueError: an argument is out of range.
    """

    options = NewtonOptions(bound=1.0)

    def __init__(self, d_model: int, block: int, heads: int, execution: str):
        super().__init__(d_model, block * d_model, block, execution)
        size = positive_quotient("heads", d_model, heads, "the features")
        fan_out = d_model if block == 1 else size  # as published
        bound = (6 / (size + fan_out)) ** 0.5
        bias = torch.zeros(3, d_model)
        bias[0] = -torch.linspace(0, 1, d_model)
        self.declare("a", self.small(3))
        self.declare("B", torch.empty(heads, size, 3, size).uniform_(-bound, bound))
        self.declare("b", bias)

    def small(self, rows: int) -> Tensor:
        """Recurrent weights (rows, d_model) as the paper's code starts them."""
        return torch.randn(rows, self.d_model) * 2 / (5 * self.states) ** 0.5

    def inputs(self, u: Tensor) -> Tensor:
        """The gates' share of the input, (..., 3 d_model)."""
        parts = u.unflatten(-1, (len(self.B), -1))
        return (torch.einsum("...mi,migo->...gmo", parts, self.B).flatten(-2) + self.b).flatten(-2)


class ParaGRU(DiagonalCell):
    """Gated recurrent unit with a diagonal recurrence.

    Args:
        d_model: number of features, and of states.
        heads: blocks of the input matrices; must divide d_model (the paper has 2).
        execution: "auto" (Newton's method), "loop" or "newton".
    """

    def __init__(self, d_model: int, heads: int = 1, execution: str = "auto"):
        super().__init__(d_model, 1, heads, execution)

    def cell(self, h: Tensor, x: Tensor, dt: Tensor | None = None) -> Tensor:
        """One step of the module docstring's equations."""
        z, r, n = x.chunk(3, -1)
        r = torch.sigmoid(self.a[1] * h + r)
        n = torch.tanh(self.a[2] * r * h + n)
        keep, _ = hold(logsigmoid(-self.a[0] * h - z), dt)
        return n + keep * (h - n)

    def output(self, h: Tensor) -> Tensor:
        """The state."""
        return h


class ParaLSTM(DiagonalCell):
    """Long short-term memory with coupled gates, peepholes and a diagonal recurrence.

    The state is the pair (c, h) of every feature in turn.

    Args:
        d_model: number of features.
        heads: blocks of the input matrices; must divide d_model (the paper has 2).
        execution: "auto" (Newton's method), "loop" or "newton".
    """

    def __init__(self, d_model: int, heads: int = 1, execution: str = "auto"):
        super().__init__(d_model, 2, heads, execution)
        self.declare("c", self.small(2))

    def cell(self, h: Tensor, x: Tensor, dt: Tensor | None = None) -> Tensor:
        """One step of the module docstring's equations."""
        c, h = h.unflatten(-1, (-1, 2)).unbind(-1)
        f, g, o = x.chunk(3, -1)
        keep, _ = hold(logsigmoid(self.a[0] * h + f + self.c[0] * c), dt)
        g = torch.tanh(self.a[1] * h + g)
        c = g + keep * (c - g)
        o = torch.sigmoid(self.a[2] * h + o + self.c[1] * c)
        return torch.stack([c, o * torch.tanh(c)], -1).flatten(-2)

    def output(self, h: Tensor) -> Tensor:
        """The second of every pair."""
        return h[..., 1::2]
