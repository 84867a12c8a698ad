"""What the arguments of ops over time must be: dtypes, states, resets and lengths."""

import torch
from torch import Tensor

PRECISION = {  # of the states that a dtype enters: their real and complex dtypes
    torch.float16: (torch.float32, torch.complex64),
    torch.bfloat16: (torch.float32, torch.complex64),
    torch.float32: (torch.float32, torch.complex64),
    torch.complex64: (torch.float32, torch.complex64),
    torch.float64: (torch.float64, torch.complex128),
    torch.complex128: (torch.float64, torch.complex128),
}


def cast(x: Tensor, dtype: torch.dtype) -> Tensor:
    """x.to(dtype), without the cost of asking where it has that dtype."""
    return x if x.dtype == dtype else x.to(dtype)


def common_dtypes(*tensors: Tensor | None) -> tuple[torch.dtype, torch.dtype]:
    """The dtypes of real numbers and of states that hold all of these tensors.

    Raises:
        ValueError: One of them holds something else than floating-point or complex numbers.
    """
    double = is_complex = False
    for x in tensors:
        if x is None:
            continue
        if x.dtype not in PRECISION:
            raise ValueError(f"a tensor has dtype {x.dtype}: expected one of {list(PRECISION)}.")
        double = double or PRECISION[x.dtype][0] == torch.float64
        is_complex = is_complex or x.is_complex()
    real, complex_ = PRECISION[torch.float64 if double else torch.float32]
    return real, complex_ if is_complex else real


def real_steps(x: Tensor, lengths: Tensor) -> Tensor:
    """Which steps of a series x (b, l, ...) are not padding, (b, l) bool."""
    return torch.arange(x.shape[1], device=x.device) < lengths[:, None]


def check_rows(
    size: tuple[int, ...],
    h0: Tensor | None,
    state: tuple[int, ...],
    resets: Tensor | None,
    lengths: Tensor | None,
) -> None:
    """Refuses what does not fit rows of `size` (b, l) with states of shape `state`.

    Raises:
        ValueError: A shape or dtype does not fit.
    """
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
