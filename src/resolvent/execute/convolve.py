"""Causal convolution with the kernel of an invariant system, by FFT."""

from __future__ import annotations

import torch
from torch import Tensor

from resolvent import analysis
from resolvent.execute.cauchy import through_cauchy
from resolvent.execute.hold import held
from resolvent.execute.lti import final_state, in_closed_form
from resolvent.kernels import long_convolution, vandermonde
from resolvent.kernels.long_convolution_ops import by_transforms
from resolvent.structure import Diagonal, Powers, markov
from resolvent.system import Invariant


@in_closed_form
def convolve(
    system: Invariant,
    closed: Invariant,
    powers: Powers,
    u: Tensor,
    h0: Tensor,
    lengths: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Y = K * u + (response to h0) + D u; the kernel comes from the system's own structure."""
    length = u.shape[1]
    K = kernel(system, length)
    if system.mimo:
        y = by_transforms(u, K, lambda K, u: torch.einsum("mqpf,bfmp->bfmq", K, u))
    else:
        b, _, m, p = u.shape
        y = long_convolution(u.permute(0, 3, 1, 2).reshape(b * p, length, m), K)
        y = y.view(b, p, length, m).permute(0, 2, 3, 1)
    y = y + _free(closed, powers, h0, length) + system.D * u
    return y, final_state(closed, powers, u, h0, lengths)


def kernel(system: Invariant, length: int) -> Tensor:
    """`analysis.kernel`, by the native Vandermonde product (diagonal) or Cauchy products (DPLR)."""
    system = held(system)
    if length < 1 or not _is_bank(system):
        return analysis.kernel(system, length, through_cauchy)
    return vandermonde(system.A.values.expand_as(system.B), system.B * system.C, length)  # type: ignore[attr-defined]


def _is_bank(system: Invariant) -> bool:
    return not system.mimo and isinstance(system.A, Diagonal)


def _free(system: Invariant, powers: Powers, h0: Tensor, length: int) -> Tensor:
    """Y_t = C A^(t+1) h0 of a closed system, (b, l, m, q or p)."""
    start = system.A.apply(h0)
    if _is_bank(system):  # each row's channels are a bank of their own
        w = (system.C[..., None] * start).movedim(-1, 1)
        a = system.A.values.expand_as(w)  # type: ignore[attr-defined]
        y = vandermonde(a.flatten(0, 2), w.flatten(0, 2), length)
        return y.unflatten(0, w.shape[:3]).permute(0, 3, 2, 1)
    C = system.C if system.mimo else system.C[..., None, :]
    y = markov(powers, start, C, length)  # (b, m, q or 1, 1 or p, l)
    y = y[..., 0, :] if system.mimo else y[..., 0, :, :]
    return y.permute(0, 3, 1, 2)
