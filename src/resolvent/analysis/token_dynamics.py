"""Whether the tokens of a deep selective model converge or diverge: depth as time.

A stack of selective layers without convolution, gate and skip moves tokens x_l (d) by

    dx_l / ds = sum_{j <= l} (C_l^T B_j) e^(-a (Delta_{j+1} + ... + Delta_l)) Delta_j x_j

with B = S_B x, C = S_C x and Delta = softplus(S_Delta x) (Vo et al. 2025, "Demystifying the Token
Dynamics of Deep Selective State Space Models"). Of one channel the sign of mu = S_C^T S_B decides:
all tokens converge to 0 if it is negative, all diverge if it is positive. Of many channels the
symmetric part of S_C^T S_B decides, by experiment: all tokens converge if no eigenvalue is
positive.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class TokenDynamics(NamedTuple):
    """What the maps of a selective layer do to tokens.

    Attributes:
        channels: mu of each channel by itself (d,), positive where it diverges.
        eigenvalues: those of the symmetric part of S_C^T S_B that can differ from 0, (2 n,),
            ascending; all d of them if that is fewer.
    """

    channels: Tensor
    eigenvalues: Tensor

    @property
    def divergent(self) -> bool:
        """Whether the layer as a whole is in the divergent scenario."""
        tiny = torch.finfo(torch.float64).eps * len(self.channels) * self.eigenvalues.abs().max()
        return bool((self.eigenvalues > tiny).any())


def token_dynamics(S_B: Tensor, S_C: Tensor) -> TokenDynamics:
    """The scenario of a layer whose B and C are S_B x and S_C x.

    Args:
        S_B: (n, d), d channels and n states.
        S_C: (n, d).

    Returns:
        In float64.

    Raises:
        ValueError: the shapes differ.
    """
    if S_B.shape != S_C.shape or S_B.ndim != 2:
        shapes = f"{tuple(S_B.shape)} and {tuple(S_C.shape)}"
        raise ValueError(f"S_B, S_C: expected equal shapes (n, d), got {shapes}")
    S_B, S_C = (x.detach().double() for x in (S_B, S_C))
    n, d = S_B.shape
    if d <= 2 * n:
        values = torch.linalg.eigvalsh((S_C.T @ S_B + S_B.T @ S_C) / 2)
    else:  # the eigenvalues of W^T V other than 0 are those of V W^T
        V, W = torch.cat([S_B, S_C]), torch.cat([S_C, S_B]) / 2
        values = torch.linalg.eigvals(V @ W.T).real.sort().values
    return TokenDynamics((S_C * S_B).sum(0), values)
