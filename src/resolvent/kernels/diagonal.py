"""The diagonal recurrence h_t = a_t h_{t-1} + x_t as two ops, with native kernels on CPUs.

`diagonal_scan` gives every state; `diagonal_ssm` is a bank of single-input single-output time-invariant systems whose
states stay in registers. `scan_reference` and `ssm_reference` define them. Axes: b batch, l length, m feature, n mode.
"""

import torch
from torch import Tensor

from resolvent.kernels import diagonal_ops as _ops  # noqa: F401  (registers torch.ops.resolvent)

_PRECISION = {  # of a state that the dtype enters
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
    """The definition of `diagonal_scan`, one row and one step at a time; same arguments, equal dtypes."""
    b, l, n = x.shape
    a = a.expand(b, l, n)
    rows, lasts = [], []
    for i in range(b):
        h = x.new_zeros(n) if h0 is None else h0[i]
        states = []
        for t in range(l if lengths is None else int(lengths[i])):
            if resets is not None and resets[i, t]:
                h = torch.zeros_like(h)
            h = a[i, t] * h + x[i, t]
            states.append(h)
        states += [x.new_zeros(n)] * (l - len(states))
        rows.append(torch.stack(states) if l else x[i])
        lasts.append(h)
    return (torch.stack(rows), torch.stack(lasts)) if b else (x.clone(), x.new_zeros(b, n))


def ssm_reference(
    a: Tensor,
    b: Tensor,
    c: Tensor,
    u: Tensor,
    h0: Tensor | None = None,
    resets: Tensor | None = None,
    lengths: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The definition of `diagonal_ssm` by `scan_reference` over all states; same arguments, equal dtypes."""
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
        resets: (b, l) bool; True drops the state before that step and keeps its input. Default: none.
        lengths: (b,) int, steps of each row; what follows is padding. Default: l for all. Clipped to 0..l.

    Returns:
        h (b, l, n), zero from a row's length on, and h_last (b, n), the state after a row's last step (h0 if it has
        none). Both have the common dtype of a, x and h0; half precision becomes float32.

    Raises:
        ValueError: Shapes that do not fit, or a dtype that is not a number of 16, 32 or 64 bits.
    """
    _, dtype = _common_dtypes(a, x, h0)
    if x.dim() != 3:
        raise ValueError(f"x has shape {tuple(x.shape)}: expected (b, l, n); add the missing axes.")
    b, l, n = x.shape
    if a.dim() != 1 or a.shape[0] != n:
        _check_broadcast(a, x)
        a = a[(None,) * (3 - a.dim())].expand(-1, -1, n)
    _check_rows((b, l), h0, (b, n), resets, lengths)
    a, x, h0 = _cast(a, dtype), _cast(x, dtype), _cast(h0, dtype)
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
    """m time-invariant systems with one input, one output and n modes each: h_t = a h_{t-1} + b u_t, y_t from c h_t.

    Where a, b or c is complex, each mode stands for a conjugate pair: y_t = 2 Re sum_n c_n h_{t,n}; else
    y_t = sum_n c_n h_{t,n}. The states are never stored: memory is that of u and y, in the backward pass too.

    Args:
        a: Decays, (m, n), real or complex.
        b: Input coefficients, (m, n).
        c: Output coefficients, (m, n).
        u: Inputs, (b, l, m), real.
        h0: States before the first step, (b, m, n). Default: zeros.
        resets: (b, l) bool; True drops the state before that step and keeps its input. Default: none.
        lengths: (b,) int, steps of each row; what follows is padding. Default: l for all. Clipped to 0..l.

    Returns:
        y (b, l, m), zero from a row's length on, and h_last (b, m, n), the state after a row's last step (h0 if it has
        none). h_last has the common dtype of a, b, c, u and h0, y its real counterpart; half precision becomes float32.

    Raises:
        ValueError: Shapes that do not fit, a complex u, or a dtype that is not a number of 16, 32 or 64 bits.
    """
    real, dtype = _common_dtypes(a, b, c, u, h0)
    if u.dim() != 3 or u.is_complex():
        raise ValueError(f"u has shape {tuple(u.shape)}, dtype {u.dtype}: expected real (b, l, m).")
    if a.dim() != 2 or a.shape[0] != u.shape[2]:
        raise ValueError(
            f"a has shape {tuple(a.shape)}: expected (m, n) with m = {u.shape[2]}, the features of u."
        )
    for name, value in (("b", b), ("c", c)):
        if value.shape != a.shape:
            raise ValueError(
                f"{name} has shape {tuple(value.shape)}: expected that of a, {tuple(a.shape)}."
            )
    _check_rows(u.shape[:2], h0, (u.shape[0], *a.shape), resets, lengths)
    a, b, c, h0 = _cast(a, dtype), _cast(b, dtype), _cast(c, dtype), _cast(h0, dtype)
    u = _cast(u, real)
    keep = torch.is_grad_enabled() and any(
        x is not None and x.requires_grad for x in (a, b, c, u, h0)
    )
    y, h_last, _ = torch.ops.resolvent.diagonal_ssm(a, b, c, u, h0, resets, lengths, keep)
    return y, h_last


def _cast(x: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    return x if x is None or x.dtype == dtype else x.to(dtype)


def _common_dtypes(*tensors: Tensor | None) -> tuple[torch.dtype, torch.dtype]:
    """The dtypes of real numbers and of states that hold all of these tensors."""
    real, state, is_complex = torch.float32, torch.complex64, False
    for x in tensors:
        if x is None:
            continue
        if x.dtype not in _PRECISION:
            raise ValueError(f"a tensor has dtype {x.dtype}: expected one of {tuple(_PRECISION)}.")
        if _PRECISION[x.dtype][0] == torch.float64:
            real, state = torch.float64, torch.complex128
        is_complex = is_complex or x.is_complex()
    return real, state if is_complex else real


def _check_broadcast(a: Tensor, x: Tensor) -> None:
    fits = a.dim() <= 3 and all(
        i in (1, j) for i, j in zip(reversed(a.shape), reversed(x.shape), strict=False)
    )
    if not fits:
        raise ValueError(
            f"a has shape {tuple(a.shape)}: expected (n,) or what broadcasts to x's (b, l, n) = {tuple(x.shape)}."
        )


def _check_rows(
    size: tuple[int, int],
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
        raise ValueError(
            f"resets has shape {tuple(resets.shape)}, dtype {resets.dtype}: expected (b, l) = {tuple(size)}, torch.bool."
        )
    if lengths is not None and (
        lengths.shape != size[:1] or lengths.dtype not in (torch.int64, torch.int32)
    ):
        raise ValueError(
            f"lengths has shape {tuple(lengths.shape)}, dtype {lengths.dtype}: expected (b,) = ({size[0]},), integers."
        )
