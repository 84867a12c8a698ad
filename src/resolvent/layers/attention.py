"""Softmax attention as a mixer for hybrids (Vaswani et al. 2017), full or over a sliding window.

    q, k, v = W u                                   m heads of p features
    out = W_o softmax(q k^T / sqrt(p)) v            over the steps before, or the last of them
    q, k are turned by angles t theta_i             rotary positions (Su et al. 2021, RoFormer)

Its state is the cache of keys and values, and the time that each stands for: the last window - 1 of
them, or all. Full attention therefore remembers everything and *grows*.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from resolvent.layers.mixer import Mixer, Timing, dtype_of, full_precision, positive_quotient
from resolvent.layers.rotary import turn
from resolvent.layers.state import State
from resolvent.topology.tail import keep_last, pad_front

BLOCK = 1024
"""Most queries that are compared with their keys at once."""


class Attention(Mixer):
    """Causal attention with a cache as its state.

    Args:
        d_model: number of features.
        n_heads: number of heads, a divisor of d_model; the largest up to 8 by default.
        window: steps that a query sees, itself included; None: all, and the state grows.
        rotary: whether keys and queries carry their time, in steps or in factors dt of a step.

    Raises:
        ValueError: n_heads does not divide d_model, or the window is not a positive integer.
    """

    def __init__(
        self,
        d_model: int,
        n_heads: int | None = None,
        window: int | None = None,
        rotary: bool = True,
    ):
        super().__init__(d_model)
        if n_heads is None:
            n_heads = max(m for m in range(1, 9) if d_model % m == 0)
        if window is not None and (not isinstance(window, int) or window < 1):
            raise ValueError(f"window: must be a positive integer or None, got {window!r}")
        p = positive_quotient("n_heads", d_model, n_heads, "d_model")
        self.shape, self.window, self.rotary = (n_heads, p), window, rotary
        self.grows = window is None
        self.in_proj = nn.Linear(d_model, 3 * d_model, False)
        self.out_proj = nn.Linear(d_model, d_model, False)

    def mix(self, u: Tensor, state: State | None, timing: Timing) -> tuple[Tensor, State]:
        """Attend; the cache holds (key, value) pairs (b, t, 2, m, p) and times (b, t), 0: none."""
        b, length, _ = u.shape
        x = self.in_proj(u).to(dtype_of(self.in_proj)).unflatten(-1, (3, *self.shape))
        cache = self.initial_state(b, u.device, x.dtype) if state is None else state
        dt = x.new_ones(b, length) if timing.dt is None else timing.dt.to(x.dtype)
        pairs = torch.cat([cache.h, x[:, :, 1:]], 1)
        times = torch.cat([cache.memory[0], dt], 1)
        with full_precision(u.device):
            y = self._attend(x[:, :, 0], pairs, times, timing.resets)
        size = pairs.shape[1] if self.window is None else self.window - 1
        kept = (pad_front(v, size + length - v.shape[1]) for v in (pairs, times))
        h, times = (keep_last(v, size, timing.resets, timing.lengths) for v in kept)
        return self.out_proj(y.flatten(2)), State(h, (times,))

    def initial_state(
        self,
        batch_size: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> State:
        """An empty cache; of constant size if there is a window."""
        size = 0 if self.window is None else self.window - 1
        pairs = self.in_proj.weight.new_zeros(batch_size, size, 2, *self.shape)
        pairs = pairs.to(device=device, dtype=dtype)
        return State(pairs, (pairs.new_zeros(batch_size, size),))

    def _attend(self, q: Tensor, pairs: Tensor, times: Tensor, resets: Tensor | None) -> Tensor:
        """Queries (b, l, m, p) against the pairs (b, t + l, 2, m, p) of the past and their own."""
        length, past = q.shape[1], pairs.shape[1] - q.shape[1]
        epoch = torch.zeros_like(times, dtype=torch.long)
        if resets is not None:
            epoch = torch.cat([epoch[:, :past], resets.long().cumsum(1)], 1)
        k, v = pairs.unbind(2)
        if self.rotary:
            now = times.double().cumsum(1)
            q, k = turn(q, now[:, past:]), turn(k, now)
        index, outputs = torch.arange(pairs.shape[1], device=q.device), [q[:, :0]]
        for start in range(0, length, BLOCK):
            stop = min(start + BLOCK, length)
            first = 0 if self.window is None else max(0, past + start - self.window + 1)
            last = past + stop
            lag = index[past + start : last, None] - index[first:last]
            near = (lag >= 0) if self.window is None else (lag >= 0) & (lag < self.window)
            same = epoch[:, past + start : last, None] == epoch[:, None, first:last]
            seen = near & same & (times[:, None, first:last] > 0)
            heads = (
                x.transpose(1, 2) for x in (q[:, start:stop], k[:, first:last], v[:, first:last])
            )
            y = scaled_dot_product_attention(*heads, attn_mask=seen[:, None])
            outputs.append(y.transpose(1, 2))
        return torch.cat(outputs, 1)
