"""The selective scan of Mamba: a diagonal recurrence whose step size, B and C come from the input.

Discretisation, recurrence, output map, skip and gate are one pass; no state is ever stored for
every step. `selective_reference` defines the op. Axes: b batch, l length, m channel, g group of
channels that share B and C, n state.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from resolvent.kernels import selective_ops
from resolvent.kernels.arguments import cast, check_rows, common_dtypes
from resolvent.kernels.registry import wants_checkpoints


class Selective(NamedTuple):
    """h_t = exp(dt_t A) h_(t-1) + dt_t B_t u_t, y_t = C_t h_t + D u_t in each channel.

    Attributes:
        A: Continuous-time rates, (m, n).
        B: Input maps, (b, l, g, n); channel i reads group i g // m.
        C: Output maps, (b, l, g, n).
        dt: Step sizes, (b, l, m).
        D: Skip, (m,). Default: none.
        bias: (m,). If given, the step size is softplus(dt + bias).
    """

    A: Tensor
    B: Tensor
    C: Tensor
    dt: Tensor
    D: Tensor | None = None
    bias: Tensor | None = None


def selective_reference(
    system: Selective,
    u: Tensor,
    h0: Tensor | None = None,
    resets: Tensor | None = None,
    lengths: Tensor | None = None,
    *,
    gate: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The definition of `selective_scan`, row by row and step by step; equal dtypes."""
    A, B, C, dt, D, bias = system
    (batch, length, m), n = u.shape, A.shape[1]
    B, C = (x.repeat_interleave(m // x.shape[2], dim=2) for x in (B, C))
    if bias is not None:
        dt = torch.logaddexp(dt + bias, torch.zeros_like(dt))
    y, h_last = torch.zeros_like(u), u.new_zeros(batch, m, n)
    for i in range(batch):
        h = u.new_zeros(m, n) if h0 is None else h0[i]
        for t in range(length if lengths is None else int(lengths[i])):
            if resets is not None and resets[i, t]:
                h = torch.zeros_like(h)
            step = dt[i, t, :, None]
            h = torch.exp(step * A) * h + step * B[i, t] * u[i, t, :, None]
            out = (C[i, t] * h).sum(dim=-1)
            out = out if D is None else out + D * u[i, t]
            y[i, t] = out if gate is None else out * gate[i, t] * torch.sigmoid(gate[i, t])
        h_last[i] = h
    return y, h_last


def selective_scan(
    system: Selective,
    u: Tensor,
    h0: Tensor | None = None,
    resets: Tensor | None = None,
    lengths: Tensor | None = None,
    *,
    gate: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """A selective system over a batch of sequences (Gu & Dao 2023, "Mamba", algorithm 2).

    Training keeps one state in 64 beside the arguments and y; the others are computed again.

    Args:
        system: The system, real.
        u: Inputs, (b, l, m), real.
        h0: States before the first step, (b, m, n). Default: zeros.
        resets: (b, l) bool; True drops the state before that step and keeps the step's input.
            Default: none.
        lengths: (b,) integers, the steps of each row; what follows is padding. Default: l for all.
            Clipped to 0..l.
        gate: (b, l, m). If given, the output is y gate sigmoid(gate). Default: none.

    Returns:
        y (b, l, m), zero from a row's length on, and h_last (b, m, n), the state after a row's last
        step (h0 if it has none). Both have the common dtype of all arguments, at least float32.

    Raises:
        ValueError: A shape or dtype does not fit.
    """
    real, state = common_dtypes(*system, u, h0, gate)
    if u.dim() != 3 or state.is_complex:
        raise ValueError(f"u has shape {tuple(u.shape)}: expected (b, l, m), all tensors real.")
    _check(system, u, gate)
    check_rows(u.shape[:2], h0, (u.shape[0], *system.A.shape), resets, lengths)
    A, B, C, dt, D, bias = system
    tensors = (u, dt, A, B, C, D, bias, gate, h0)
    tensors = tuple(
        x if x is None or selective_ops.is_taken(x, i, real) else cast(x, real)
        for i, x in enumerate(tensors)
    )
    keep = wants_checkpoints(*tensors)
    return selective_ops.selective(*tensors, resets, lengths, keep)[:2]


def _check(system: Selective, u: Tensor, gate: Tensor | None) -> None:
    A, B, C, dt, D, bias = system
    b, l, m = u.shape
    if A.dim() != 2 or A.shape[0] != m:
        raise ValueError(f"A has shape {tuple(A.shape)}: expected (m, n), m = {m} as in u.")
    groups = B.shape[2] if B.dim() == 4 else 0
    if groups < 1 or m % groups:
        raise ValueError(
            f"B has shape {tuple(B.shape)}: expected (b, l, g, n), g a divisor of m = {m}."
        )
    series, maps = (b, l, m), (b, l, groups, A.shape[1])
    for name, value, shape in (
        ("B", B, maps),
        ("C", C, maps),
        ("dt", dt, series),
        ("D", D, (m,)),
        ("bias", bias, (m,)),
        ("gate", gate, series),
    ):
        if value is not None and value.shape != shape:
            raise ValueError(f"{name} has shape {tuple(value.shape)}: expected {shape}.")
