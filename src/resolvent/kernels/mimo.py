"""A diagonal system with dense input and output maps, fused: its states are never stored.

What is linear in the states but not diagonal, B and C, are real matrices that act on real states:
of complex modes, on their real parts followed by their imaginary parts. `mimo_reference` defines
the op. Axes: b batch, l length, n mode, p input, q output.
"""

import torch
from torch import Tensor

from resolvent.kernels import mimo_ops
from resolvent.kernels.arguments import cast, check_rows, common_dtypes, real_steps
from resolvent.kernels.diagonal import scan_reference
from resolvent.kernels.registry import wants_checkpoints


def mimo_reference(
    a: Tensor,
    b: Tensor,
    c: Tensor,
    u: Tensor,
    h0: Tensor | None = None,
    resets: Tensor | None = None,
    lengths: Tensor | None = None,
    *,
    d: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The definition of `diagonal_mimo`, by `scan_reference`; equal dtypes."""
    x, n = u @ b.mT, a.shape[0]
    x = torch.complex(x[..., :n], x[..., n:]) if a.is_complex() else x
    h, h_last = scan_reference(a, x, h0, resets, lengths)
    y = (torch.cat((h.real, h.imag), -1) if a.is_complex() else h) @ c.mT
    if d is not None:
        real = None if lengths is None else real_steps(u, lengths)[..., None]
        y = y + (d * u if real is None else torch.where(real, d * u, 0))
    return y, h_last


def diagonal_mimo(
    a: Tensor,
    b: Tensor,
    c: Tensor,
    u: Tensor,
    h0: Tensor | None = None,
    resets: Tensor | None = None,
    lengths: Tensor | None = None,
    *,
    d: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """One system of n modes with p inputs and q outputs (Smith et al. 2023, S5).

    h_t = a h_{t-1} + B u_t and y_t = C h_t + d u_t. A block of 64 steps at a time stays in the
    caches; beside u and y, training keeps the states between blocks.

    Args:
        a: Decays, (n,), real or complex.
        b: Input map, real, (N, p): N is n, or 2n where a is complex.
        c: Output map, real, (q, N).
        u: Inputs, (b, l, p), real.
        h0: States before the first step, (b, n), of a's kind. Default: zeros.
        resets: (b, l) bool; True drops the state before that step and keeps the step's input.
            Default: none.
        lengths: (b,) integers, the steps of each row; what follows is padding. Default: l for all.
            Clipped to 0..l.
        d: What passes the states by, (q,), real, where q = p. Default: nothing.

    Returns:
        y (b, l, q), zero from a row's length on, and h_last (b, n), the state after a row's last
        step (h0 if it has none), in the common precision of all arguments, at least float32.

    Raises:
        ValueError: A shape or dtype does not fit.
    """
    real, dtype = common_dtypes(a, b, c, d, u, h0)
    _check(a, b, c, d, u)
    check_rows(u.shape[:2], h0, (u.shape[0], a.shape[0]), resets, lengths)
    if h0 is not None and h0.is_complex() != a.is_complex():
        raise ValueError(f"h0 has dtype {h0.dtype}: expected a state of a's kind, {dtype}.")
    b, c, u = cast(b.mT, real), cast(c.mT, real), cast(u, real)
    d = None if d is None else cast(d, real)
    h0 = None if h0 is None else mimo_ops.reals(cast(h0, dtype))
    a = mimo_ops.reals(cast(a, dtype)).unflatten(0, (2 if a.is_complex() else 1, -1))
    keep = wants_checkpoints(a, b, c, d, u, h0)
    y, h, _ = mimo_ops.mimo(a, b, c, d, u, h0, resets, lengths, keep)
    return y, mimo_ops.numbers(h, len(a))


def _check(a: Tensor, b: Tensor, c: Tensor, d: Tensor | None, u: Tensor) -> None:
    for name, x in (("b", b), ("c", c), ("d", d), ("u", u)):
        if x is not None and x.is_complex():
            raise ValueError(f"{name} is complex: expected a real tensor; see `diagonal_mimo`.")
    if u.dim() != 3:
        raise ValueError(f"u has shape {tuple(u.shape)}: expected (b, l, p); add the missing axes.")
    if a.dim() != 1:
        raise ValueError(f"a has shape {tuple(a.shape)}: expected (n,).")
    states, p = len(a) * (2 if a.is_complex() else 1), u.shape[2]
    if b.shape != (states, p):
        raise ValueError(f"b has shape {tuple(b.shape)}: expected (N, p) = {(states, p)}.")
    if c.dim() != 2 or c.shape[1] != states:
        raise ValueError(f"c has shape {tuple(c.shape)}: expected (q, N), N = {states}.")
    if d is not None and (d.shape != (p,) or len(c) != p):
        shapes = f"shape {tuple(d.shape)} with p, q = {p}, {len(c)}"
        raise ValueError(f"d has {shapes}: expected (q,), and as many outputs as inputs.")
