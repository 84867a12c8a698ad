"""The cells on PyTorch operations: their formulas, and the loop over steps.

A cell takes the share x of the input and the share r of the last h in each gate, and its state, to
the next state; each unit by itself.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from resolvent.kernels.arguments import real_steps
from resolvent.kernels.registry import gradients_again

Parts = tuple[Tensor, ...]
Hold = Callable[[Tensor], tuple[Tensor, Tensor | float]]


def one_step(log_keep: Tensor) -> tuple[Tensor, Tensor | float]:
    """A gate over a step of length 1."""
    return log_keep, 1.0


def elman(x: Parts, r: Parts, state: Parts, hold: Hold = one_step) -> Parts:
    """The next h is tanh(x + r); nothing in it is held."""
    return (torch.tanh(x[0] + r[0]),)


def lstm(x: Parts, r: Parts, state: Parts, hold: Hold = one_step) -> Parts:
    """Long short-term memory: c' = sigma(f) c + sigma(i) tanh(g), h' = sigma(o) tanh(c')."""
    i, f, g, o = (a + b for a, b in zip(x, r, strict=True))
    log_keep, times = hold(logsigmoid(f))
    c = log_keep.exp() * state[1] + times * torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def gru(x: Parts, r: Parts, state: Parts, hold: Hold = one_step) -> Parts:
    """Gated recurrent unit: n = tanh(x_n + sigma(reset) r_n), h' = z h + (1 - z) n."""
    n = torch.tanh(x[2] + torch.sigmoid(x[0] + r[0]) * r[2])
    log_keep, _ = hold(logsigmoid(x[1] + r[1]))
    return (n + log_keep.exp() * (state[0] - n),)


def slstm(x: Parts, r: Parts, state: Parts, hold: Hold = one_step) -> Parts:
    """Exponential gates at the scale of their running maximum m, and a normaliser n."""
    i, f, z, o = (a + b for a, b in zip(x, r, strict=True))
    _, c, n, m = state
    log_keep, times = hold(logsigmoid(f))
    i = i + times.log() if isinstance(times, Tensor) else i
    # an empty memory has no scale of its own
    top = torch.where(n == 0, i, torch.maximum(log_keep + m, i))
    keep, add = torch.where(n == 0, 0.0, (log_keep + m - top).exp()), (i - top).exp()
    c, n = keep * c + add * torch.tanh(z), keep * n + add
    return torch.sigmoid(o) * c / n, c, n, top


class Cell(NamedTuple):
    """A cell, the number of its gates, and the number of arrays in its state."""

    step: Callable[..., Parts]
    gates: int
    states: int


CELLS = {
    "elman": Cell(elman, 1, 1),
    "lstm": Cell(lstm, 4, 2),
    "gru": Cell(gru, 3, 1),
    "slstm": Cell(slstm, 4, 4),
}
"""By name, in the order in which the native kernels number them."""


def headwise(h: Tensor, weight: Tensor) -> Tensor:
    """Product of h (r, m n) with weight (g, m, n, n), each head by itself: (r, g m n)."""
    m, n = weight.shape[1:3]
    return torch.einsum("rmi,gmoi->rgmo", h.unflatten(-1, (m, n)), weight).flatten(1)


def cell_step(
    cell: str,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    state: Tensor,
    hold: Hold = one_step,
) -> Tensor:
    """One step of a cell, differentiable to any order.

    Args:
        cell: as in `cell_scan`.
        x: the input's share of the gates, (r, g d).
        weight: the recurrent matrix, (g, m, n, n).
        bias: (g d,), or None.
        state: (r, s d).
        hold: of the logarithm of what a gate keeps a step, what it keeps over this step, as a
            logarithm, and how often it adds meanwhile. Default: a step is a step.

    Returns:
        The next state (r, s d).
    """
    about = CELLS[cell]
    parts = state.chunk(about.states, -1)
    r = headwise(parts[0], weight)
    r = r if bias is None else r + bias
    after = about.step(x.chunk(about.gates, -1), r.chunk(about.gates, -1), parts, hold)
    return torch.cat(after, -1)


def scan(
    cell: str,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    h0: Tensor,
    resets: Tensor | None,
    lengths: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """`kernels.cell_scan` for equal dtypes."""
    state, h = h0, []
    d = weight.shape[1] * weight.shape[2]
    for t in range(x.shape[1]):
        before = state if resets is None else torch.where(resets[:, t, None], 0, state)
        after = cell_step(cell, x[:, t], weight, bias, before)
        if lengths is None:
            h.append(after[:, :d])
            state = after
            continue
        real = (lengths > t)[:, None]
        h.append(torch.where(real, after[:, :d], 0))
        state = torch.where(real, after, state)
    return torch.stack(h, 1) if h else x[..., :d], state


def scan_backward(
    cell: str, inputs: tuple[Any, ...], marks: tuple[Any, Any], gh: Tensor, glast: Tensor
) -> tuple[Tensor, ...]:
    """Gradients of x, weight, bias (empty without one) and h0: the loop runs again.

    What padding holds is cleared, so that it has no slope.
    """
    x, weight, bias, h0 = inputs
    if marks[1] is not None:
        x = torch.where(real_steps(x, marks[1])[..., None], x, 0)

    def op(*given: Tensor) -> tuple[Tensor, Tensor]:
        return scan(cell, *given, resets=marks[0], lengths=marks[1])

    shaped = x, weight, x.new_empty(0) if bias is None else bias, h0
    return gradients_again(op, (x, weight, bias, h0), shaped, (gh, glast))
