"""Universal Transformer (Dehghani et al. 2019): recurrence in depth, which may halt at each step.

    x_0     = u                                     one block, applied again and again
    z_k     = x_k + signal_k                        sines of the depth k
    a_k     = LayerNorm(z_k + Attention(z_k))
    x_{k+1} = LayerNorm(a_k + MLP(a_k))             k = 0 .. repeats - 1; out = x_repeats

with halting (Graves 2016, adaptive computation time), for every step of the sequence by itself:

    p_k     = sigma(w . z_k + b)                    the probability to halt at depth k
    out     = sum of p_k x_{k+1} up to depth N      N: where the sum of p_k exceeds 1 - EPS, or the
              with R = 1 - sum_{k<N} p_k for p_N    last; the weights add up to 1
    cost    = PONDER (N + R)                        added to the mean loss of a training step

Where a step of the sequence lies, attention knows by rotation. All depths are computed for all
steps: a step that has halted is still read by later ones.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from resolvent.layers.attention import Attention
from resolvent.layers.mixer import Mixer, Timing, full_precision
from resolvent.layers.mlp import MLP
from resolvent.layers.state import State
from resolvent.topology.padding import real_steps

EPS = 0.01
"""What may be missing from 1 when a step halts."""
PONDER = 0.01
"""Cost of a depth, as published."""


class UniversalTransformer(Mixer):
    """A Transformer's block whose depth is a loop; its state has the keys and values of each depth.

    Args:
        d_model: number of features.
        n_heads: of the attention; the largest divisor of d_model up to 8 by default.
        repeats: how often the block is applied, at most if it halts.
        halting: whether each step decides when to halt; training then pays for depth.
        window: of the attention; None: it sees the whole past, and the state grows.
        expand: inner features of the position-wise network a feature.

    Raises:
        ValueError: repeats is not a positive integer, or as for the attention and the network.
    """

    def __init__(
        self,
        d_model: int,
        n_heads: int | None = None,
        repeats: int = 4,
        halting: bool = True,
        window: int | None = None,
        expand: float = 4,
    ):
        super().__init__(d_model)
        if not isinstance(repeats, int) or repeats < 1:
            raise ValueError(f"repeats: must be a positive integer, got {repeats!r}")
        self.attention, self.mlp = Attention(d_model, n_heads, window), MLP(d_model, expand)
        self.norms = nn.ModuleList(nn.LayerNorm(d_model) for _ in range(2))
        self.repeats, self.grows = repeats, self.attention.grows
        self.halt = nn.Linear(d_model, 1) if halting else None
        if self.halt is not None:
            nn.init.ones_(self.halt.bias)
        self.register_buffer("signal", _sines(repeats, d_model), persistent=False)

    def mix(self, u: Tensor, state: State | None, timing: Timing) -> tuple[Tensor, State]:
        """All depths; the state is the pairs (b, t, repeats, 2, m, p) of all, and their times."""
        with full_precision(u.device):  # depth is a recurrence
            return self._deepen(u, state, timing)

    def _deepen(self, u: Tensor, state: State | None, timing: Timing) -> tuple[Tensor, State]:
        x, pairs, ponder = u.to(self.signal.dtype), [], _Ponder(u)
        out, times = torch.zeros_like(x), ()
        for k in range(self.repeats):
            z = x + self.signal[k]
            before = None if state is None else State(state.h[:, :, k], state.memory)
            y, (pair, times) = self.attention.mix(z, before, timing)
            a = self.norms[0](z + y)
            x = self.norms[1](a + self.mlp.mix(a, None, timing)[0])
            pairs.append(pair)
            if self.halt is not None:
                p = torch.sigmoid(self.halt(z))[..., 0]
                out = out + ponder.weight(p, k == self.repeats - 1)[..., None] * x
        if self.halt is None:
            return x, State(torch.stack(pairs, 2), times)
        charged = self.training and torch.is_grad_enabled()
        self.cost = PONDER * ponder.mean(timing.lengths) if charged else None
        return out, State(torch.stack(pairs, 2), times)

    def initial_state(
        self,
        batch_size: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> State:
        """The attention's empty cache for each depth."""
        h, times = self.attention.initial_state(batch_size, device, dtype)
        return State(h[:, :, None].expand(-1, -1, self.repeats, -1, -1, -1).contiguous(), times)


class _Ponder:
    """Who still runs, what has been given out, and the price of it, for every step (b, l)."""

    def __init__(self, u: Tensor):
        self.given = self.price = u.new_zeros(u.shape[:2])
        self.runs = torch.ones_like(self.given, dtype=torch.bool)

    def weight(self, p: Tensor, last: bool) -> Tensor:
        """The weight of a depth whose probability to halt is p, the rest if this is the last."""
        rest = 1 - self.given
        stops = self.runs & ((self.given + p > 1 - EPS) | last)
        weight = torch.where(self.runs, torch.where(stops, rest, p), 0)
        self.price = self.price + self.runs.to(p.dtype) + torch.where(stops, rest, 0)
        self.given, self.runs = self.given + weight, self.runs & ~stops
        return weight

    def mean(self, lengths: Tensor | None) -> Tensor:
        """Mean of N + R over the real steps."""
        if lengths is None:
            return self.price.sum() / max(self.price.numel(), 1)
        real = real_steps(lengths, self.price.shape[1])
        return torch.where(real, self.price, 0).sum() / real.sum().clamp(min=1)


def _sines(repeats: int, d_model: int) -> Tensor:
    """Sines and cosines of each depth at geometric frequencies (repeats, d_model)."""
    half = -(-d_model // 2)
    rates = torch.exp(-math.log(1e4) * torch.arange(half) / max(half - 1, 1))
    angles = torch.arange(1, repeats + 1)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], 1)[:, :d_model]
