"""The position-wise network of Transformers and hybrids, as a layer: it mixes features, not time.

out = W_2 GELU(W_1 u)                    Vaswani et al. 2017, with the GELU of GPT-2
out = W_2 (SiLU(W_g u) * W_1 u)          if gated (Shazeer 2020, SwiGLU)
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, silu

from resolvent.layers.mixer import Mixer, Timing
from resolvent.layers.state import State


class MLP(Mixer):
    """Two linear maps and a nonlinearity at each step; its state is empty.

    Args:
        d_model: number of features.
        expand: inner features a feature.
        gated: whether the inner features are gated.

    Raises:
        ValueError: there is no inner feature.
    """

    def __init__(self, d_model: int, expand: float = 4, gated: bool = False):
        super().__init__(d_model)
        self.gated = gated
        inner = int(expand * d_model)
        if inner < 1:
            raise ValueError(f"expand: must give at least one inner feature, got {expand!r}")
        self.in_proj = nn.Linear(d_model, inner * (2 if gated else 1))
        self.out_proj = nn.Linear(inner, d_model)

    def mix(self, u: Tensor, state: State | None, timing: Timing) -> tuple[Tensor, State]:
        """The same map at every step."""
        x = self.in_proj(u)
        if self.gated:
            gate, x = x.chunk(2, -1)
            x = silu(gate) * x
        else:
            x = gelu(x)
        return self.out_proj(x), self.initial_state(u.shape[0]) if state is None else state

    def initial_state(
        self,
        batch_size: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> State:
        """Nothing: (b, 0)."""
        return State(self.in_proj.weight.new_zeros(batch_size, 0).to(device=device, dtype=dtype))
