"""How far back a system looks: the energy of its kernel, without writing the kernel down."""

from __future__ import annotations

import torch
from torch import Tensor

from resolvent.analysis.precise import in_double
from resolvent.structure import Diagonal, Scalar, Structure
from resolvent.system import Invariant

DOUBLINGS = 50
"""Most doublings of the number of steps: slower decay than 2^-50 a step is lost in rounding."""

BUDGET = 1 << 18
"""Numbers in the Gramians of the heads that are worked on at once; their powers are as large."""


@torch.no_grad()
def memory_length(system: Invariant, fraction: float = 0.99) -> Tensor:
    """Number of steps after which the kernel has given out a fraction of its energy.

    The least L with sum_{k < L} |K_k|^2 >= fraction * sum_{k >= 0} |K_k|^2, K_k = C A^k B without
    the skip: the last L inputs explain that much of the output's variance if inputs are white.

    The energy after L steps is C A^L W (C A^L)^T, with the controllability Gramian
    W = sum_k A^k B B^T A^kT summed by doubling (W <- W + S W S^T, S <- S S); L is found by
    bisection over its binary digits. A memory of 10^9 steps costs 30 products.

    Args:
        system: time-invariant discrete system.
        fraction: between 0 and 1, both excluded.

    Returns:
        Float64 (m,), or (m, q), one for each output, if mimo. Whole numbers; 0 for a kernel that is
        zero, inf for one that does not decay.

    Raises:
        TypeError: the system varies with time.
        ValueError: fraction is not strictly between 0 and 1.
    """
    if not isinstance(system, Invariant):
        raise TypeError(
            f"system: expected Invariant, got {type(system).__name__}; a system that varies has no "
            "kernel, see implied_attention"
        )
    if not 0 < fraction < 1:
        raise ValueError(f"fraction: must lie strictly between 0 and 1, got {fraction}")
    A, B, C = _whole(in_double(system))
    size = max(1, BUDGET // A.n**2)
    heads = torch.arange(B.shape[0], device=B.device).split(size)
    lengths = [_memory(A.map(lambda x, h=h: x[h]), B[h], C[h], fraction) for h in heads]
    length = torch.cat(lengths)
    return length if system.mimo else length[:, 0]


def _whole(system: Invariant) -> tuple[Structure, Tensor, Tensor]:
    """The closed system with both halves of conjugate pairs: A, B (m, N, p), C (m, q, N)."""
    system = system.closed()
    A = system.A
    B = system.B if system.mimo else system.B[..., None]
    C = system.C if system.mimo else system.C[..., None, :]
    if isinstance(A, Scalar):
        A = Diagonal(A.value[..., None].expand(*A.value.shape, A.n))
    if isinstance(A, Diagonal) and A.dtype.is_complex:
        A = A.map(lambda x: torch.cat([x, x.conj()], -1))
        B, C = torch.cat([B, B.conj()], -2), torch.cat([C, C.conj()], -1)
    return A.map(lambda x: x.expand(B.shape[0], *x.shape[1:])), B, C


def _memory(A: Structure, B: Tensor, C: Tensor, fraction: float) -> Tensor:
    """Memory lengths (m, q) of whole systems."""
    W, powers, decays = _gramian(A, B)
    X, length = C.mH, torch.zeros(C.shape[:2], dtype=torch.float64, device=C.device)
    allowed = (1 - fraction) * _energy(X, W)
    # the largest L whose rest still exceeds what is allowed, digit by digit; the answer is one more
    for k in reversed(range(len(powers))):
        later = powers[k].adjoint().apply(X)
        exceeds = _energy(later, W) > allowed
        X = torch.where(exceeds[:, None], later, X)
        length = length + exceeds * 2.0**k
    length = torch.where(allowed > 0, length + 1, 0.0)
    return torch.where(decays[:, None], length, torch.inf)


def _gramian(A: Structure, B: Tensor) -> tuple[Tensor, list[Structure], Tensor]:
    """The Gramian (m, N, N), the powers A^(2^k) that it took, and which heads decay (m,)."""
    W, square, powers = B @ B.mH, A, []
    for _ in range(DOUBLINGS):
        powers.append(square)
        addition = square.apply(square.apply(W).mH)
        W = W + addition
        square = square.compose(square)
        total, added = (x.diagonal(dim1=-2, dim2=-1).real.sum(-1) for x in (W, addition))
        # NaN counts as settled: a head that overflows does not decay, and is marked below
        if not bool((added > torch.finfo(torch.float64).eps * total).any()):
            break
    decays = torch.isfinite(total) & (added <= torch.finfo(torch.float64).eps * total)
    return W, powers, decays


def _energy(X: Tensor, W: Tensor) -> Tensor:
    """Energies X^H W X of every column of X (m, N, q): (m, q)."""
    return (X.conj() * (W.to(X.dtype) @ X)).sum(-2).real.clamp(min=0)
