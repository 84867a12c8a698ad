"""Powers of A on vectors: the Krylov matrix [B, AB, A^2 B, ...] and the Markov parameters C A^k B.

All for structures closed under products; by repeated doubling, so L powers cost log2(L) products.
"""

from __future__ import annotations

from functools import reduce
from math import isqrt

import torch
from torch import Tensor

from resolvent.structure.base import Structure, to_real


class Powers:
    """The powers A, A^2, A^4, ... of a closed structure, each computed at its first use.

    Every function here takes one in place of A, and so shares the products.
    """

    def __init__(self, A: Structure):
        self.computed = [A]

    @classmethod
    def of(cls, A: Structure | Powers) -> Powers:
        """The powers of A; those that are given, if they are."""
        return A if isinstance(A, Powers) else cls(A)

    def __getitem__(self, k: int) -> Structure:
        """The power A^(2^k)."""
        while len(self.computed) <= k:
            self.computed.append(self.computed[-1].compose(self.computed[-1]))
        return self.computed[k]


def power(A: Structure | Powers, k: int) -> Structure:
    """The power A^k, k >= 1, by repeated squaring.

    Raises:
        ValueError: k is less than 1.
    """
    if k < 1:
        raise ValueError(f"power: k must be at least 1, got {k}")
    powers = Powers.of(A)
    factors = [powers[bit] for bit in range(k.bit_length()) if (k >> bit) & 1]
    return reduce(lambda product, factor: factor.compose(product), factors)


def power_apply(A: Structure | Powers, h: Tensor, k: Tensor, most: int) -> Tensor:
    """A^k h with one exponent a row: h (b, m, n, p), k (b,) integers in 0 .. most."""
    powers = Powers.of(A)
    for bit in range(most.bit_length()):
        h = torch.where(((k >> bit) & 1).bool()[:, None, None, None], powers[bit].apply(h), h)
    return h


def krylov(
    A: Structure | Powers, X: Tensor, length: int, stride: int = 1, adjoint: bool = False
) -> Tensor:
    """Krylov matrix [X, A^s X, A^2s X, ...] of ``length`` blocks.

    Args:
        A: closed structure with leading axes (...).
        X: (..., n, p).
        length: number of blocks, at least 1.
        stride: the s above, a power of two.
        adjoint: take the adjoint of A in its place.

    Returns:
        (..., n, length, p).
    """
    powers, first, out = Powers.of(A), stride.bit_length() - 1, X
    doublings = (length - 1).bit_length()
    for k in range(first, first + doublings):
        later = (powers[k].adjoint() if adjoint else powers[k]).apply(out)
        out = torch.cat([out.expand_as(later), later], -1)
    return out.unflatten(-1, (1 << doublings, X.shape[-1]))[..., :length, :]


def markov(A: Structure | Powers, B: Tensor, C: Tensor, length: int) -> Tensor:
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
    powers = Powers.of(A)
    t = 1 << max(isqrt(length - 1), 1).bit_length() if length > 1 else 1
    baby = krylov(powers, B, min(t, length))
    giant = krylov(powers, C.mH, -(-length // t), stride=t, adjoint=True)
    K = torch.einsum("...niq,...njp->...qpij", to_real(giant, -3), to_real(baby, -3))
    return (2 * K if powers[0].dtype.is_complex else K).flatten(-2)[..., :length]
