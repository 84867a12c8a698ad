"""The diagonal recurrence h_t = a_t h_{t-1} + x_t as ops, with native kernels on CPUs.

`diagonal_scan` gives every state. `diagonal_ssm` is a bank of time-invariant systems with one input
and one output each, whose states are never stored; `vandermonde` is what it answers to an impulse.
`scan_reference`, `ssm_reference` and `vandermonde_reference` define them. Axes: b batch, l length,
m feature, n mode.
"""

import torch
from torch import Tensor

from resolvent.kernels import diagonal_ops, vandermonde_ops
from resolvent.kernels.arguments import cast, check_rows, common_dtypes, real_steps
from resolvent.kernels.registry import wants_checkpoints


def scan_reference(
    a: Tensor,
    x: Tensor,
    h0: Tensor | None = None,
    resets: Tensor | None = None,
    lengths: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The definition of `diagonal_scan`, row by row and step by step; equal dtypes."""
    batch, length, n = x.shape
    a = a.expand(batch, length, n)
    h, h_last = x.new_zeros(batch, length, n), x.new_zeros(batch, n)
    for i in range(batch):
        state = x.new_zeros(n) if h0 is None else h0[i]
        for t in range(length if lengths is None else int(lengths[i])):
            if resets is not None and resets[i, t]:
                state = torch.zeros_like(state)
            state = a[i, t] * state + x[i, t]
            h[i, t] = state
        h_last[i] = state
    return h, h_last


def ssm_reference(
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
    """The definition of `diagonal_ssm`, by `scan_reference` over all states; equal dtypes."""
    x = b * u[..., None]
    start = None if h0 is None else h0.flatten(1)
    h, h_last = scan_reference(a.flatten(), x.flatten(2), start, resets, lengths)
    y = (c * h.view(x.shape)).sum(dim=-1)
    y = 2 * y.real if y.is_complex() else y
    if d is not None:
        real = None if lengths is None else real_steps(u, lengths)[..., None]
        y = y + (d * u if real is None else torch.where(real, d * u, 0))
    return y, h_last.view(u.shape[0], *a.shape)


def diagonal_scan(
    a: Tensor,
    x: Tensor,
    h0: Tensor | None = None,
    resets: Tensor | None = None,
    lengths: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """All states of h_t = a_t h_{t-1} + x_t.

    Args:
        a: Decays, (n,) or anything that broadcasts to (b, l, n); real or complex.
        x: Inputs, (b, l, n); real or complex.
        h0: State before the first step, (b, n). Default: zeros.
        resets: (b, l) bool; True drops the state before that step and keeps the step's input.
            Default: none.
        lengths: (b,) integers, the steps of each row; what follows is padding. Default: l for all.
            Clipped to 0..l.

    Returns:
        h (b, l, n), zero from a row's length on, and h_last (b, n), the state after a row's last
        step (h0 if it has none). Both have the common dtype of a, x and h0, at least float32.

    Raises:
        ValueError: A shape or dtype does not fit.
    """
    _, dtype = common_dtypes(a, x, h0)
    if x.dim() != 3:
        raise ValueError(f"x has shape {tuple(x.shape)}: expected (b, l, n); add the missing axes.")
    batch, length, n = x.shape
    if a.dim() != 1 or a.shape[0] != n:
        _check_broadcast(a, x)
        a = a[(None,) * (3 - a.dim())].expand(-1, -1, n)
    check_rows((batch, length), h0, (batch, n), resets, lengths)
    a, x = cast(a, dtype), cast(x, dtype)
    h0 = None if h0 is None else cast(h0, dtype)
    return diagonal_ops.scan(a, x, h0, resets, lengths)


def diagonal_ssm(
    a: Tensor,
    b: Tensor,
    c: Tensor,
    u: Tensor,
    h0: Tensor | None = None,
    resets: Tensor | None = None,
    lengths: Tensor | None = None,
    *,
    d: Tensor | None = None,
    dt: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """A bank of m systems with one input, one output and n modes each.

    h_t = a h_{t-1} + b u_t, and y_t = 2 Re sum_n c_n h_{t,n} + d u_t where a, b or c is complex:
    each mode stands for a conjugate pair (Gu et al. 2022, "On the Parameterization and
    Initialization of Diagonal State Space Models"). Where they are real, y_t = sum_n c_n h_{t,n} +
    d u_t. The states are never stored, not in the backward pass either: beside u and y, training
    keeps one state in 64, or none where gradients come by those of the convolution kernel: natively
    for at least four rows of 256 to 16,384 steps with 32 or more states, neither h0 nor resets, and
    no gradient of h_last.

    Args:
        a: Decays, (m, n), real or complex.
        b: Input coefficients, (m, n).
        c: Output coefficients, (m, n).
        u: Inputs, (b, l, m), real.
        h0: States before the first step, (b, m, n). Default: zeros.
        resets: (b, l) bool; True drops the state before that step and keeps the step's input.
            Default: none.
        lengths: (b,) integers, the steps of each row; what follows is padding. Default: l for all.
            Clipped to 0..l.
        dt: Step sizes, (m, 1) or (m, n), real. With them a and b are the eigenvalues and inputs of
            a continuous system h' = a h + b u, which is held at zero order as :func:`zoh` does.
            Default: a and b are discrete.
        d: What passes the states by, (m,) or (m, 1), real; it takes no time. Default: nothing.

    Returns:
        y (b, l, m), zero from a row's length on, and h_last (b, m, n), the state after a row's last
        step (h0 if it has none). h_last has the common dtype of all arguments, at least float32;
        y its real counterpart.

    Raises:
        ValueError: A shape or dtype does not fit, or u, d or dt is complex.
    """
    real, dtype = common_dtypes(a, b, c, d, dt, u, h0)
    if u.dim() != 3 or u.is_complex():
        shape = tuple(u.shape)
        raise ValueError(f"u has shape {shape}, dtype {u.dtype}: expected (b, l, m), real.")
    if a.dim() != 2 or a.shape[0] != u.shape[2]:
        shape = tuple(a.shape)
        raise ValueError(f"a has shape {shape}: expected (m, n), m = {u.shape[2]} as in u.")
    for name, value in (("b", b), ("c", c)):
        if value.shape != a.shape:
            shape = tuple(value.shape)
            raise ValueError(f"{name} has shape {shape}: expected a's {tuple(a.shape)}; expand it.")
    if d is not None and (d.shape[:1] != u.shape[2:] or d.numel() != u.shape[2] or d.is_complex()):
        given = f"shape {tuple(d.shape)}, dtype {d.dtype}"
        raise ValueError(f"d has {given}: expected (m,) = {tuple(u.shape[2:])}, real.")
    if dt is not None and (dt.shape not in (a.shape, (a.shape[0], 1)) or dt.is_complex()):
        given = f"shape {tuple(dt.shape)}, dtype {dt.dtype}"
        raise ValueError(f"dt has {given}: expected (m, 1) or a's {tuple(a.shape)}, real.")
    check_rows(u.shape[:2], h0, (u.shape[0], *a.shape), resets, lengths)
    a, b, c, u = cast(a, dtype), cast(b, dtype), cast(c, dtype), cast(u, real)
    d, dt = (None if x is None else cast(x, real) for x in (d, dt))
    h0 = None if h0 is None else cast(h0, dtype)
    keep = wants_checkpoints(a, b, c, d, dt, u, h0)
    if keep and not torch.compiler.is_compiling():  # a traced program is for any number of steps
        keep = not diagonal_ops.differentiates_kernel(a, u, h0, resets)
    return diagonal_ops.ssm(a, b, c, d, dt, u, h0, resets, lengths, keep)[:2]


def vandermonde_reference(a: Tensor, w: Tensor, length: int) -> Tensor:
    """The definition of `vandermonde`: the product with the matrix of powers a^t."""
    powers = [torch.ones_like(a)]
    while len(powers) < length:
        powers.append(powers[-1] * a)
    K = torch.einsum("mn,mnl->ml", w, torch.stack(powers, -1)[..., :length])
    return 2 * K.real if K.is_complex() else K


def vandermonde(a: Tensor, w: Tensor, length: int) -> Tensor:
    """Kernels K_t = 2 Re sum_n w_n a_n^t of m diagonal systems, t = 0 .. length - 1.

    That is the convolution kernel of DSS and S4D with w = b c (Gu et al. 2022, "On the
    Parameterization and Initialization of Diagonal State Space Models", equation 4), and where a
    and w are real, K_t = sum_n w_n a_n^t. Powers come from the recurrence of `diagonal_ssm`, so
    that there is no exponential for each of them; the backward pass evaluates polynomials in a and
    their slopes. No matrix of powers is stored in either.

    Args:
        a: Decays, (m, n), real or complex.
        w: Weights of the modes, (m, n).
        length: The number of steps, not negative.

    Returns:
        K (m, length), of the real counterpart of the common dtype, at least float32.

    Raises:
        ValueError: The shapes differ, or the length is negative.
    """
    if length < 0:
        raise ValueError(f"length is {length}: expected a number of steps, not negative.")
    if a.dim() != 2 or a.shape != w.shape:
        shapes = f"{tuple(a.shape)} and {tuple(w.shape)}"
        raise ValueError(f"a and w have shapes {shapes}: expected (m, n), the same.")
    _, dtype = common_dtypes(a, w)
    return vandermonde_ops.vandermonde(cast(a, dtype), cast(w, dtype), length).mT


def _check_broadcast(a: Tensor, x: Tensor) -> None:
    pairs = zip(reversed(a.shape), reversed(x.shape), strict=False)
    if a.dim() > 3 or not all(i in (1, j) for i, j in pairs):
        shapes = f"{tuple(a.shape)}: expected (n,) or what broadcasts to x's {tuple(x.shape)}"
        raise ValueError(f"a has shape {shapes}, (b, l, n).")
