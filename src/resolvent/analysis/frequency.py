"""Transfer functions: the resolvent between C and B."""

from __future__ import annotations

import torch
from torch import Tensor

from resolvent.analysis.precise import in_double, skip
from resolvent.structure import (
    DPLR,
    Diagonal,
    Structure,
    functional_to_real,
    shifted_solve,
    to_real,
)
from resolvent.system import Continuous, Invariant

BUDGET = 1 << 22
"""Numbers held at once when a dense matrix is solved at many points."""


def transfer_function(system: Continuous | Invariant, s: Tensor | complex) -> Tensor:
    """Transfer function, skip included.

        continuous   G(s) = C (s I - A)^-1 B + D            frequencies: s = 1j * omega
        discrete     G(z) = C (I - A/z)^-1 B + D            frequencies: z = exp(1j * omega)

    The discrete one is sum_k K_k z^-k of the kernel K_k = C A^k B, plus D: a step reads the state
    that its own input has already entered.

    Args:
        system: time-invariant system.
        s: points of the complex plane, any shape (...); z for a discrete system.

    Returns:
        Complex128 (m, ...), or (m, q, p, ...) if mimo.

    Raises:
        ValueError: the channels of a head have different skips.
    """
    system = in_double(system)
    points = torch.as_tensor(s, dtype=torch.complex128, device=system.D.device)
    flat = points.reshape(-1)
    B = system.B if system.mimo else system.B[..., None]
    C = system.C if system.mimo else system.C[..., None, :]
    A, B, C = system.A, to_real(B, -2), functional_to_real(C, -1)
    G = through_resolvent(A, B, C, flat)
    if isinstance(system, Invariant):
        G = G * flat
    G = (G if system.mimo else G[:, 0, 0]) + skip(system)[..., None]
    return G.unflatten(-1, points.shape) if points.ndim else G[..., 0]


def through_resolvent(A: Structure, B: Tensor, C: Tensor, s: Tensor) -> Tensor:
    """C (s I - A)^-1 B at points s (f,) for real B (m, N, p), C (m, q, N): complex (m, q, p, f).

    Points are taken a few at a time, so that memory does not grow with f times N.
    """
    A = A.map(lambda x: x.expand(B.shape[0], *x.shape[1:]))
    per_point = B.shape[:-1].numel() * (1 if isinstance(A, Diagonal | DPLR) else B.shape[-2])
    return torch.cat(
        [_contract(A, B, C, part) for part in s.split(max(1, BUDGET // per_point))], -1
    )


def _contract(A: Structure, B: Tensor, C: Tensor, s: Tensor) -> Tensor:
    columns = [shifted_solve(A, s, B[..., j]) for j in range(B.shape[-1])]
    return torch.einsum("mqn,pmfn->mqpf", C.to(s.dtype), torch.stack(columns))
