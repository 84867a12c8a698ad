"""Recurrences whose state is a matrix, with native kernels on CPUs: an outer product a step.

`matrix_scan` adds it to a decaying state (linear attention, RetNet, GLA, SSD), `delta_rule` puts it
in the place of what the state held under the same key (DeltaNet, DeltaProduct). Decays are given as
they multiply, not as logarithms: that is what a structure stores, zero and negative ones included,
and with decays within [-1, 1] and keys of length 1 nothing here can grow. `matrix_reference`
defines both. Axes: b batch, l length, m head, g group of heads with the same keys and queries,
r write of a step, n row of a state (key), p column of a state (value).
"""

import torch
from torch import Tensor

from resolvent.kernels import matrix_ops, matrix_torch
from resolvent.kernels.arguments import cast, check_rows, common_dtypes
from resolvent.kernels.registry import wants_checkpoints


def matrix_reference(
    a: Tensor,
    k: Tensor,
    v: Tensor,
    q: Tensor,
    beta: Tensor | None = None,
    h0: Tensor | None = None,
    resets: Tensor | None = None,
    lengths: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The definition of `delta_rule`, and of `matrix_scan` without beta; equal dtypes.

    Args and returns as for `delta_rule`, where a is (b, l, m, n) or (b, l, m, 1).
    """
    (b, l, m, r, p), heads = v.shape, v.shape[2] // k.shape[2]
    y, h_last = v.new_zeros(b, l, m, p), v.new_zeros(b, m, k.shape[-1], p)
    for i in range(b):
        for head in range(m):
            state = torch.zeros_like(h_last[i, head]) if h0 is None else h0[i, head]
            for t in range(l if lengths is None else int(lengths[i])):
                if resets is not None and resets[i, t]:
                    state = torch.zeros_like(state)
                state = a[i, t, head, :, None] * state
                for j in range(r):
                    key, value = k[i, t, head // heads, j], v[i, t, head, j]
                    if beta is not None:
                        value = beta[i, t, head, j] * (value - key @ state)
                    state = state + torch.outer(key, value)
                y[i, t, head] = q[i, t, head // heads] @ state
            h_last[i, head] = state
    return y, h_last


def matrix_scan(
    a: Tensor,
    k: Tensor,
    v: Tensor,
    q: Tensor,
    h0: Tensor | None = None,
    resets: Tensor | None = None,
    lengths: Tensor | None = None,
    *,
    chunked: bool = False,
) -> tuple[Tensor, Tensor]:
    """Decaying sums of outer products: S_t = diag(a_t) S_(t-1) + k_t v_t^T, y_t = S_t^T q_t.

    Dao & Gu 2024 (SSD) with one decay a head, Yang et al. 2024 (GLA) with one for every row of the
    state. The states are never stored: beside inputs and outputs, training keeps one in 64.

    Args:
        a: Decays, (b, l, m), or (b, l, m, n): one for each row of the state.
        k: Keys, (b, l, g, n), g a divisor of m; heads share them in order. Or (b, l, g, r, n): r
            products a step, after its decay.
        v: Values, (b, l, m, p), or (b, l, m, r, p).
        q: Queries, (b, l, g, n); another number of groups than k's is fine.
        h0: States before the first step, (b, m, n, p). Default: zeros.
        resets: (b, l) bool; True drops the state before that step. Default: none.
        lengths: (b,) integers, the steps of each row; what follows is padding. Default: l for all.
            Clipped to 0..l.
        chunked: Whether to run in chunks of matrix products by PyTorch operations, which is what
            happens on GPUs anyway.

    Returns:
        y (b, l, m, p), zero from a row's length on, and h_last (b, m, n, p), the state after a
        row's last step (h0 if it has none). Both have the common dtype of all arguments, at least
        float32.

    Raises:
        ValueError: A shape or dtype does not fit.
    """
    k, v = (x[:, :, :, None] if x.dim() == 4 else x for x in (k, v))
    return _run(a, k, v, q, None, (h0, resets, lengths), chunked)


def delta_rule(
    a: Tensor,
    k: Tensor,
    v: Tensor,
    beta: Tensor,
    q: Tensor,
    h0: Tensor | None = None,
    resets: Tensor | None = None,
    lengths: Tensor | None = None,
    *,
    chunked: bool = False,
) -> tuple[Tensor, Tensor]:
    """The gated delta rule with r writes a step, each in the place of what its key recalled.

    S <- diag(a_t) S, then S <- S + beta_j k_j (v_j - S^T k_j)^T for j = 1..r, then y_t = S^T q_t.
    So S_t = H_r ... H_1 diag(a_t) S_(t-1) + writes with H_j = I - beta_j k_j k_j^T (Yang et al.
    2024, DeltaNet; 2025, Gated DeltaNet; Siems et al. 2025, DeltaProduct). A Householder factor has
    the eigenvalue 1 - beta |k|^2 besides ones: with |k| = 1 and 0 <= beta <= 2 it does not grow.

    Args:
        a: Decays, (b, l, m), or (b, l, m, n): one for each row of the state.
        k: Keys, (b, l, g, r, n), g a divisor of m; heads share them in order.
        v: Values, (b, l, m, r, p).
        beta: Strengths of the writes, (b, l, m, r).
        q: Queries, (b, l, g, n); another number of groups than k's is fine.
        h0: As in `matrix_scan`, as are the following.
        resets: (b, l) bool.
        lengths: (b,) integers.
        chunked: Whether to run in chunks of matrix products by PyTorch operations.

    Returns:
        y (b, l, m, p) and h_last (b, m, n, p), as from `matrix_scan`.

    Raises:
        ValueError: A shape or dtype does not fit.
    """
    if beta.shape != v.shape[:-1]:
        shapes = f"{tuple(beta.shape)}: expected v's (b, l, m, r) = {tuple(v.shape[:-1])}"
        raise ValueError(f"beta has shape {shapes}.")
    return _run(a, k, v, q, beta, (h0, resets, lengths), chunked)


def _run(
    a: Tensor,
    k: Tensor,
    v: Tensor,
    q: Tensor,
    beta: Tensor | None,
    rows: tuple[Tensor | None, Tensor | None, Tensor | None],
    chunked: bool,
) -> tuple[Tensor, Tensor]:
    h0, resets, lengths = rows
    real, dtype = common_dtypes(a, k, v, q, beta, h0)
    if dtype.is_complex:
        raise ValueError("a tensor is complex: expected real ones.")
    _check_sizes(a, k, v, q)
    (b, l, m), g, n = v.shape[:3], k.shape[2], k.shape[4]
    check_rows((b, l), h0, (b, m, n, v.shape[-1]), resets, lengths)
    if q.shape[2] != g:
        k, q = k.repeat_interleave(m // g, 2), q.repeat_interleave(m // q.shape[2], 2)
    a = a[..., None] if a.dim() == 3 else a
    a, k, v, q = cast(a, real), cast(k, real), cast(v, real), cast(q, real)
    beta, h0 = (x if x is None else cast(x, real) for x in (beta, h0))
    if chunked:
        return matrix_torch.scan(a, k, v, q, beta, h0, resets, lengths)
    keep = wants_checkpoints(a, k, v, q, beta, h0)
    return matrix_ops.scan(a, k, v, q, beta, h0, resets, lengths, keep)[:2]


def _check_sizes(a: Tensor, k: Tensor, v: Tensor, q: Tensor) -> None:
    for name, x in (("k", k), ("v", v)):
        if x.dim() != 5:
            shapes = "(b, l, g, r, n) or (b, l, m, r, p), without r only in matrix_scan"
            raise ValueError(f"{name} has shape {tuple(x.shape)}: expected {shapes}.")
    (b, l, m, r, _), n = v.shape, k.shape[-1]
    if k.shape[:2] != (b, l) or k.shape[3] != r:
        shapes = f"{tuple(k.shape)} and {tuple(v.shape)}: expected equal b, l and r"
        raise ValueError(f"k and v have shapes {shapes}, (b, l, g, r, n) and (b, l, m, r, p).")
    if q.dim() != 4 or q.shape[:2] != (b, l) or q.shape[3] != n:
        expected = f"(b, l, g, n) with b, l, n = {b}, {l}, {n} as in k and v"
        raise ValueError(f"q has shape {tuple(q.shape)}: expected {expected}.")
    for name, groups in (("k", k.shape[2]), ("q", q.shape[2])):
        if m and (not groups or m % groups):
            raise ValueError(f"{name} has {groups} groups: expected a divisor of v's {m} heads.")
    if a.shape not in ((b, l, m), (b, l, m, 1), (b, l, m, n)):
        expected = f"(b, l, m) = {(b, l, m)}, or (b, l, m, n) with n = {n}"
        raise ValueError(f"a has shape {tuple(a.shape)}: expected {expected}.")
