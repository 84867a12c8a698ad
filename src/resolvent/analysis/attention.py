"""The matrix that a system applies to a sequence, written out as an attention matrix."""

from __future__ import annotations

import torch
from torch import Tensor

from resolvent.analysis.precise import in_double
from resolvent.system import Discrete, Varying


def implied_attention(system: Discrete, length: int | None = None) -> Tensor:
    """Lower triangular matrix M with y_i = sum_j M_ij u_j + D u_i: M_ij = C_i A_i ... A_{j+1} B_j.

    For a layer whose system depends on its input, ``implied_attention(layer.system(u))``. Takes
    O(l^2) memory: for looking at short sequences.

    Args:
        system: discrete system; one that varies brings its own length.
        length: number of steps of a system that does not vary.

    Returns:
        Float64 (m, l, l) with axes (output step i, input step j), led by b if the system varies;
        (m, q, p, l, l) if mimo, (m, r, l, l) if a step writes r rows.

    Raises:
        ValueError: length is missing, not positive, or not that of the system.
    """
    system = in_double(system)
    if isinstance(system, Varying):
        known = system.B.shape[1]
        if length not in (None, known):
            raise ValueError(f"length: the system varies over {known} steps, got {length}")
        return _products(system, known)
    if length is None or length < 1:
        raise ValueError(f"length: an invariant system needs at least 1 step, got {length}")
    return _products(system, length)


def _products(system: Discrete, length: int) -> Tensor:
    """One column of states for every past input, carried along."""
    varying = isinstance(system, Varying)
    A, C = system.A, system.C
    B = system.B if system.mimo or system.writes else system.B[..., None]
    rows, H = [], None
    for t in range(length):
        A_t, B_t = (A.map(lambda x, t=t: x[:, t]), B[:, t]) if varying else (A, B)
        C_t = C[:, t] if varying and system.varying_output else C
        H = B_t if H is None else torch.cat([A_t.apply(H), B_t], -1)
        row = (C_t if system.mimo else C_t[..., None, :]) @ H
        row = (2 * row.real if row.is_complex() else row).unflatten(-1, (t + 1, B.shape[-1]))
        rows.append(torch.nn.functional.pad(row, (0, 0, 0, length - t - 1)))
    M = torch.stack(rows, -3).movedim(-1, -3)  # (..., q, l, l, p) -> (..., q, p, l, l)
    if system.mimo:
        return M
    return M[..., 0, :, :, :] if system.writes else M[..., 0, 0, :, :]
