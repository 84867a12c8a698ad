"""The diagonal recurrence h_t = a_t h_{t-1} + x_t as two ops, with native kernels on CPUs.

`diagonal_scan` gives every state. `diagonal_ssm` is a bank of time-invariant systems with one input
and one output each, whose states are never stored. `scan_reference` and `ssm_reference` define
them. Axes: b batch, l length, m feature, n mode.
"""

import torch
from torch import Tensor

from resolvent.kernels import diagonal_ops

_PRECISION = {  # of the states that a dtype enters: their real and complex dtypes
    torch.float16: (torch.float32, torch.complex64),
    torch.bfloat16: (torch.float32, torch.complex64),
    torch.float32: (torch.float32, torch.complex64),
    torch.complex64: (torch.float32, torch.complex64),
    torch.float64: (torch.float64, torch.complex128),
    torch.complex128: (torch.float64, torch.complex128),
}


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
) -> tuple[Tensor, Tensor]:
    """The definition of `diagonal_ssm`, by `scan_reference` over all states; equal dtypes."""
    x = b * u[..., None]
    start = None if h0 is None else h0.flatten(1)
    h, h_last = scan_reference(a.flatten(), x.flatten(2), start, resets, lengths)
    y = (c * h.view(x.shape)).sum(dim=-1)
    return (2 * y.real if y.is_complex() else y), h_last.view(u.shape[0], *a.shape)


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
    _, dtype = _common_dtypes(a, x, h0)
    if x.dim() != 3:
        raise ValueError(f"x has shape {tuple(x.shape)}: expected (b, l, n); add the missing axes.")
    batch, length, n = x.shape
    if a.dim() != 1 or a.shape[0] != n:
        _check_broadcast(a, x)
        a = a[(None,) * (3 - a.dim())].expand(-1, -1, n)
    _check_rows((batch, length), h0, (batch, n), resets, lengths)
    a, x = _cast(a, dtype), _cast(x, dtype)
    h0 = None if h0 is None else _cast(h0, dtype)
    if _differentiated(a, x, h0) and not torch.compiler.is_compiling():
        return diagonal_ops.Scan.apply(a, x, h0, resets, lengths)
    return torch.ops.resolvent.diagonal_scan(a, x, h0, resets, lengths)


def diagonal_ssm(
    a: Tensor,
    b: Tensor,
    c: Tensor,
    u: Tensor,
    h0: Tensor | None = None,
    resets: Tensor | None = None,
    lengths: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """A bank of m systems with one input, one output and n modes each.

    h_t = a h_{t-1} + b u_t, and y_t = 2 Re sum_n c_n h_{t,n} where a, b or c is complex: each mode
    stands for a conjugate pair (Gu et al. 2022, "On the Parameterization and Initialization of
    Diagonal State Space Models"). Where they are real, y_t = sum_n c_n h_{t,n}. The states are
    never stored, not in the backward pass either: beside u and y, training keeps one state in 64.

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

    Returns:
        y (b, l, m), zero from a row's length on, and h_last (b, m, n), the state after a row's last
        step (h0 if it has none). h_last has the common dtype of all arguments, at least float32;
        y its real counterpart.

    Raises:
        ValueError: A shape or dtype does not fit, or u is complex.
    """
    real, dtype = _common_dtypes(a, b, c, u, h0)
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
    _check_rows(u.shape[:2], h0, (u.shape[0], *a.shape), resets, lengths)
    a, b, c, u = _cast(a, dtype), _cast(b, dtype), _cast(c, dtype), _cast(u, real)
    h0 = None if h0 is None else _cast(h0, dtype)
    keep = _differentiated(a, b, c, u, h0)
    if keep and not torch.compiler.is_compiling():
        return diagonal_ops.Ssm.apply(a, b, c, u, h0, resets, lengths, keep)[:2]
    keep = keep and not torch.compiler.is_exporting()  # an exported program is there to be run
    return torch.ops.resolvent.diagonal_ssm(a, b, c, u, h0, resets, lengths, keep)[:2]


def _differentiated(*tensors: Tensor | None) -> bool:
    return torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in tensors)


def _cast(x: Tensor, dtype: torch.dtype) -> Tensor:
    return x if x.dtype == dtype else x.to(dtype)


def _common_dtypes(*tensors: Tensor | None) -> tuple[torch.dtype, torch.dtype]:
    """The dtypes of real numbers and of states that hold all of these tensors."""
    double = is_complex = False
    for x in tensors:
        if x is None:
            continue
        if x.dtype not in _PRECISION:
            raise ValueError(f"a tensor has dtype {x.dtype}: expected one of {list(_PRECISION)}.")
        double = double or _PRECISION[x.dtype][0] == torch.float64
        is_complex = is_complex or x.is_complex()
    real, complex_ = _PRECISION[torch.float64 if double else torch.float32]
    return real, complex_ if is_complex else real


def _check_broadcast(a: Tensor, x: Tensor) -> None:
    pairs = zip(reversed(a.shape), reversed(x.shape), strict=False)
    if a.dim() > 3 or not all(i in (1, j) for i, j in pairs):
        shapes = f"{tuple(a.shape)}: expected (n,) or what broadcasts to x's {tuple(x.shape)}"
        raise ValueError(f"a has shape {shapes}, (b, l, n).")


def _check_rows(
    size: tuple[int, ...],
    h0: Tensor | None,
    state: tuple[int, ...],
    resets: Tensor | None,
    lengths: Tensor | None,
) -> None:
    if h0 is not None and h0.shape != state:
        raise ValueError(
            f"h0 has shape {tuple(h0.shape)}: expected {tuple(state)}, one state for each row."
        )
    if resets is not None and (resets.shape != size or resets.dtype != torch.bool):
        given = f"shape {tuple(resets.shape)}, dtype {resets.dtype}"
        raise ValueError(f"resets has {given}: expected (b, l) = {tuple(size)}, torch.bool.")
    integers = (torch.int64, torch.int32)
    if lengths is not None and (lengths.shape != size[:1] or lengths.dtype not in integers):
        given = f"shape {tuple(lengths.shape)}, dtype {lengths.dtype}"
        raise ValueError(f"lengths has {given}: expected (b,) = {tuple(size[:1])}, torch.int64.")
