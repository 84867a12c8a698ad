"""Recurrences that are not linear in their state, fused: Elman, LSTM, GRU and sLSTM cells.

r_t = R h_{t-1} + c, then the cell takes the input's share x_t of its gates, r_t and the last state
to the next one, each unit by itself. R has one block a head, so one head is the ordinary cell and
more of them are those of Beck et al. 2024 (xLSTM) and Pöppel et al. 2025 (FlashRNN).
`cell_reference` defines the op. Axes: b batch, l length, g gate, m head, n unit of a head, d = m n;
a state is s arrays of units, of which the first is h.

========  ==========  ===========  ===============================================================
cell      gates       state        step
========  ==========  ===========  ===============================================================
elman     one         h            h' = tanh(x + r)
lstm      i, f, g, o  h, c         c' = sigma(f) c + sigma(i) tanh(g), h' = sigma(o) tanh(c')
gru       r, z, n     h            n' = tanh(x_n + sigma(r) r_n), h' = z h + (1 - z) n'
slstm     i, f, z, o  h, c, n, m   exponential gates, see `resolvent.layers.SLSTM`
========  ==========  ===========  ===============================================================
"""

import torch
from torch import Tensor

from resolvent.kernels import cells_ops
from resolvent.kernels.arguments import cast, check_rows, common_dtypes
from resolvent.kernels.cells_torch import CELLS, cell_step
from resolvent.kernels.registry import wants_checkpoints

__all__ = ["cell_reference", "cell_scan", "cell_step"]


def cell_reference(
    cell: str,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    h0: Tensor | None = None,
    resets: Tensor | None = None,
    lengths: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The definition of `cell_scan`, row by row and step by step; equal dtypes."""
    (b, l, _), d = x.shape, weight.shape[1] * weight.shape[2]
    h, last = x.new_zeros(b, l, d), x.new_zeros(b, CELLS[cell].states * d)
    for i in range(b):
        state = torch.zeros_like(last[:1]) if h0 is None else h0[i, None]
        for t in range(l if lengths is None else int(lengths[i])):
            if resets is not None and resets[i, t]:
                state = torch.zeros_like(state)
            state = cell_step(cell, x[i, t, None], weight, bias, state)
            h[i, t] = state[0, :d]
        last[i] = state[0]
    return h, last


def cell_scan(
    cell: str,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    h0: Tensor | None = None,
    resets: Tensor | None = None,
    lengths: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """A cell over a batch of sequences.

    Training keeps h, which is given anyway, and of the rest of the state one in 64; gates are
    computed again.

    Args:
        cell: "elman", "lstm", "gru" or "slstm".
        x: The input's share of the gates, (b, l, g d), gate after gate.
        weight: The recurrent matrix R, (g, m, n, n), its last axis that of h.
        bias: c, (g d,). Default: none.
        h0: States before the first step, (b, s d), array after array. Default: zeros.
        resets: (b, l) bool; True drops the state before that step and keeps the step's input.
            Default: none.
        lengths: (b,) integers, the steps of each row; what follows is padding. Default: l for all.
            Clipped to 0..l.

    Returns:
        h (b, l, d), zero from a row's length on, and the state (b, s d) after a row's last step (h0
        if it has none). Both have the common dtype of all arguments, at least float32.

    Raises:
        ValueError: The cell is unknown, or a shape or dtype does not fit.
    """
    if cell not in CELLS:
        raise ValueError(f"cell is {cell!r}: expected one of {', '.join(CELLS)}.")
    tensors = x, weight, bias, h0
    real, state = common_dtypes(*tensors)
    if x.dim() != 3 or state.is_complex:
        raise ValueError(f"x has shape {tuple(x.shape)}: expected (b, l, g d), all tensors real.")
    about, shape = CELLS[cell], tuple(weight.shape)
    if len(shape) != 4 or shape[0] != about.gates or shape[2] != shape[3]:
        raise ValueError(f"weight has shape {shape}: expected (g, m, n, n), g = {about.gates}.")
    d = shape[1] * shape[2]
    if x.shape[2] != about.gates * d:
        raise ValueError(f"x has shape {tuple(x.shape)}: expected (b, l, {about.gates * d}).")
    if bias is not None and bias.shape != (about.gates * d,):
        raise ValueError(f"bias has shape {tuple(bias.shape)}: expected ({about.gates * d},).")
    check_rows(x.shape[:2], h0, (x.shape[0], about.states * d), resets, lengths)
    tensors = tuple(v if v is None else cast(v, real) for v in tensors)
    keep = wants_checkpoints(*tensors)
    return cells_ops.SCANS[cell](*tensors, resets, lengths, keep)[:2]
