"""Mamba whose maps decide whether tokens converge or diverge (Vo et al. 2025, "Demystifying the
Token Dynamics of Deep Selective State Space Models").

    B = E P x       C = P x       P = upper triangular with a diagonal of ones (n x d), E diagonal

So S_C^T S_B = P^T E P is symmetric, and has as many eigenvalues of a sign as E (Sylvester's law of
inertia): "positive" (tokens diverge, the paper's best), "negative" (all converge to 0), or "mixed",
the first half positive. The criterion is `analysis.token_dynamics`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from resolvent.layers.mamba import Mamba

DYNAMICS = ("positive", "negative", "mixed")

LEAST = 0.7
"""Smallest size of an entry of E, as in the published code."""


class OrientedMamba(Mamba):
    """Mamba with B and C made from one triangular map.

    Args:
        d_model: number of features.
        d_state: states of each inner feature.
        dynamics: one of DYNAMICS, what tokens do.

    Raises:
        ValueError: an argument is out of range.
    """

    x_proj: OrientedSelection  # type: ignore[assignment]

    def __init__(self, d_model: int, d_state: int = 16, dynamics: str = "positive"):
        super().__init__(d_model, d_state)
        if dynamics not in DYNAMICS:
            raise ValueError(f"dynamics: {dynamics!r} is unknown; choose {', '.join(DYNAMICS)}")
        positive = {"positive": d_state, "negative": 0, "mixed": (d_state + 1) // 2}[dynamics]
        self.x_proj = OrientedSelection(self.x_proj.weight.detach(), d_state, positive)

    def selection_maps(self) -> tuple[Tensor, Tensor]:
        """S_B = E P and S_C = P, (n, inner)."""
        return self.x_proj.maps()


class OrientedSelection(nn.Module):
    """x (..., d) -> (s, B, C) side by side.

    Args:
        weight: that of the free projection to s, B and C, which is where it starts.
        n: number of states.
        positive: how many entries of E are positive, the first ones.
    """

    sign: Tensor

    def __init__(self, weight: Tensor, n: int, positive: int):
        super().__init__()
        self.weight = nn.Parameter(weight[:-n].clone())
        self.size = nn.Parameter(weight[-n:, 0].clone())
        sign = torch.where(torch.arange(n) < positive, 1.0, -1.0)
        self.register_buffer("sign", sign, persistent=False)

    def maps(self) -> tuple[Tensor, Tensor]:
        """S_B and S_C, (n, d)."""
        W = self.weight[-len(self.size) :]
        P = W.triu(1) + torch.eye(*W.shape, dtype=W.dtype, device=W.device)
        E = self.sign * (softplus(self.size) + LEAST)
        return E[:, None] * P, P

    def forward(self, x: Tensor) -> Tensor:
        """Project x (..., d)."""
        return x @ torch.cat([self.weight[: -len(self.size)], *self.maps()]).T
