"""Powers of A on vectors: the Krylov matrix [B, AB, A^2 B, ...] and the Markov parameters C A^k B.

All for structures closed under products; by repeated doubling, so L powers cost log2(L) products.
"""

from __future__ import annotations

from math import isqrt

import torch
from torch import Tensor

from resolvent.structure.base import Structure, to_real


def power(A: Structure, k: int) -> Structure:
    """The power A^k, k >= 1, by repeated squaring."""
    result, square = None, A
    while True:
        if k & 1:
            result = square if result is None else square.compose(result)
        k >>= 1
        if not k:
            break
        square = square.compose(square)
    if result is None:
        raise ValueError("power: k must be at least 1, got 0")
    return result


def power_apply(A: Structure, h: Tensor, k: Tensor, most: int) -> Tensor:
    """A^k h with one exponent a row: h (b, m, n, p), k (b,) integers in 0 .. most."""
    for bit in range(most.bit_length()):
        A = A if bit == 0 else A.compose(A)
        h = torch.where(((k >> bit) & 1).bool()[:, None, None, None], A.apply(h), h)
    return h


def krylov(A: Structure, X: Tensor, length: int) -> Tensor:
    """Krylov matrix [X, A X, ..., A^(length-1) X]: X (..., n, p) -> (..., n, length, p)."""
    square, size, out = A, 1, X
    while size < length:
        later = square.apply(out)
        out = torch.cat([out.expand_as(later), later], -1)
        size *= 2
        if size < length:
            square = square.compose(square)
    return out.unflatten(-1, (size, X.shape[-1]))[..., :length, :]


def markov(A: Structure, B: Tensor, C: Tensor, length: int) -> Tensor:
    """Markov parameters K_k = C A^k B (2 Re(C A^k B) for conjugate halves).

    Splits k = i t + j, so that K is one product of (A^T)^(i t) C^T with A^j B and memory is
    O(n sqrt(length)) (baby steps, giant steps).

    Args:
        A: closed structure with leading axes (...).
        B: (..., n, p).
        C: (..., q, n).
        length: number of parameters, at least 1.

    Returns:
        K (..., q, p, length), real.
    """
    t = 1 << max(isqrt(length - 1), 1).bit_length() if length > 1 else 1
    baby = krylov(A, B, min(t, length))
    giant = krylov(power(A, t).adjoint(), C.mH, -(-length // t))
    K = torch.einsum("...niq,...njp->...qpij", to_real(giant, -3), to_real(baby, -3))
    return (2 * K if A.dtype.is_complex else K).flatten(-2)[..., :length]
