"""Kimi Delta Attention (Kimi Team 2025, "Kimi Linear"): the delta rule, and a gate for every state.

    alpha   = exp(-exp(A_log) dt), dt = softplus(W_up W_down u + b)      one a key channel
    S      <- diag(alpha) S, then S <- S + beta k (v - S^T k)^T, then y = S^T q
    out     = W_o (RMSNorm(y) * sigmoid(W_g u))

All else is Gated DeltaNet's, whose gate is one number a head. The published layer also gives W_g a
low rank.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from resolvent.layers.base import Prepared, Timing
from resolvent.layers.delta import GatedDeltaNet
from resolvent.layers.selective import step_size


class KDA(GatedDeltaNet):
    """Delta rule with one write a step after a gate a state; arguments as for DeltaNet."""

    def declare_decay(self) -> int:
        """A step size a state, from a projection of as many features as a head has values."""
        self.step_proj = nn.Linear(self.p, self.m * self.n, False)
        self.declare_dynamics(torch.empty(self.m).uniform_(1, 16), self.m * self.n, skip=False)
        return self.p

    def decay(self, step: Tensor, timing: Timing) -> Tensor:
        """One factor a state, (b, l, m, n)."""
        dt = step_size(self.step_proj(step) + self.dt_bias, timing)
        return torch.exp(self.eigenvalues[:, None] * dt.unflatten(-1, (self.m, self.n)))

    def finish(self, y: Tensor, prepared: Prepared) -> Tensor:
        """Normalise, gate by a logistic function and project back."""
        return self.out_proj(self.norm(y.flatten(2)) * torch.sigmoid(prepared.carry[0]))
