"""The resolvent of a diagonal-plus-low-rank matrix between C and B, by Cauchy products."""

from __future__ import annotations

import torch
from torch import Tensor

from resolvent.kernels import cauchy
from resolvent.structure import DPLR, from_real


def through_cauchy(A: DPLR, B: Tensor, C: Tensor, s: Tensor) -> Tensor:
    """C (s I - A)^-1 B at points s (f,) for real B (m, N, p), C (m, q, N): complex (m, q, p, f).

    With E = s - Lambda, Woodbury reads C E^-1 B - C E^-1 P (I + Q* E^-1 P)^-1 Q* E^-1 B: all
    products of the rows of C and Q* with the columns of B and P, and nothing of size N at a point
    (Gu et al. 2022, S4, appendix C.3).
    """
    m, q, p = C.shape[0], C.shape[1], B.shape[2]
    P, Q = (x.expand(m, -1, -1) for x in (A.P, A.Q))
    rows = torch.cat([from_real(C, -1, A.dtype).conj() / 2, Q.mT.conj()], 1)
    columns = torch.cat([from_real(B, -2, A.dtype), P], 2)
    w = rows[:, :, None] * columns.mT[:, None]
    products = cauchy(A.values.expand(m, -1), w.flatten(1, 2), s).unflatten(1, w.shape[1:3])
    r = P.shape[2]
    (G, left), (right, core) = (x.split((p, r), 2) for x in products.split((q, r), 1))
    if r == 1:
        return G - left * (right / (1 + core))
    left, right, core = (x.permute(0, 3, 1, 2) for x in (left, right, core))
    eye = torch.eye(r, dtype=core.dtype, device=core.device)
    return G - (left @ torch.linalg.solve(eye + core, right)).permute(0, 2, 3, 1)
