"""S4: exact streaming of a model trained by convolution, in constant time and memory a step."""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import median

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from torch.utils._pytree import tree_leaves

from resolvent.layers import S4, S5
from resolvent.model import Stream
from resolvent.papers.base import Claim, Paper, Row
from resolvent.papers.small import plain_model

LENGTHS = (1_000, 4_000, 16_000)


class CachedAttention(nn.Module):
    """Causal self-attention with a growing key-value cache: the Transformer's way to stream."""

    def __init__(self, d_model: int, heads: int = 4):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(d_model, 3 * d_model)
        self.out = nn.Linear(d_model, d_model)

    def step(self, x: Tensor, cache: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """One step x (b, d_model) with keys and values (b, heads, t, d) seen so far."""
        q, k, v = self.qkv(x).view(len(x), 3, self.heads, 1, -1).unbind(1)
        k, v = torch.cat([cache[0], k], 2), torch.cat([cache[1], v], 2)
        y = scaled_dot_product_attention(q, k, v)
        return self.out(y.flatten(1)), (k, v)


def constant_step(seeds: Sequence[int]) -> list[Row]:
    """Time and memory of one step after 1,000, 4,000 and 16,000 steps, beside attention's."""
    torch.manual_seed(seeds[0])
    d_model = 64
    with torch.no_grad():
        model = plain_model(lambda d: S5(d, d), d_model=d_model, depth=1)
        stream = Stream(model)
        attention = CachedAttention(d_model)
        rows, times = [], {}
        for length in LENGTHS:
            _, state = model.advance(torch.randn(1, length, 1), model.initial_state(1))
            size = sum(x.numel() * x.element_size() for x in tree_leaves(state))
            x = torch.randn(1, 1)
            times["S5", length] = _time(lambda x=x, s=state: stream.step(x, s))
            cache = tuple(torch.randn(1, 4, length, d_model // 4) for _ in range(2))
            token = torch.randn(1, d_model)
            times["attention", length] = _time(lambda t=token, c=cache: attention.step(t, c))
            grown = 2 * cache[0].numel() * cache[0].element_size()
            rows += [
                Row(
                    f"S5 block after {length:,} steps",
                    "constant",
                    f"{times['S5', length]:.0f} µs, {size:,} bytes",
                ),
                Row(
                    f"attention after {length:,} steps",
                    "grows",
                    f"{times['attention', length]:.0f} µs, {grown:,} bytes",
                ),
            ]
    ratio = times["S5", LENGTHS[-1]] / times["S5", LENGTHS[0]]
    return [*rows, Row("S5: time of a step, 16,000 over 1,000", "1", f"{ratio:.2f}", ratio < 1.5)]


def kernel_is_recurrence(seeds: Sequence[int]) -> list[Row]:
    """Largest relative difference between the Cauchy kernel and the stepped impulse response."""
    worst = 0.0
    for seed in seeds:
        torch.manual_seed(seed)
        layer = S4(4, 64).double()
        length = 1024
        impulse = torch.zeros(1, length, 4, dtype=torch.float64)
        impulse[:, 0] = 1
        with torch.no_grad():
            layer.D.zero_()
            K = layer.kernel(length)
            state, outputs = layer.initial_state(1), []
            for t in range(length):
                y, state = layer.step(impulse[:, t], state)
                outputs.append(y[0])
        stepped = torch.stack(outputs, -1)
        worst = max(worst, float((K - stepped).abs().max() / stepped.abs().max()))
    return [
        Row("Cauchy kernel against the recurrence, relative", "equal", f"{worst:.1e}", worst < 1e-9)
    ]


def _time(call) -> float:
    """Median microseconds of a call."""
    samples = []
    for _ in range(200):
        start = time.perf_counter()
        call()
        samples.append(time.perf_counter() - start)
    return 1e6 * median(samples)


PAPER = Paper(
    name="S4",
    title="Efficiently Modeling Long Sequences with Structured State Spaces",
    authors="Albert Gu, Karan Goel, Christopher Ré",
    year=2022,
    venue="International Conference on Learning Representations",
    choices="diagonal plus low rank · HiPPO-LegS NPLR · bilinear, a step size a feature · "
    "time-invariant",
    layer=S4,
    claims=(
        Claim(
            "kernel-is-recurrence",
            "the convolution kernel and the recurrence are the same model",
            kernel_is_recurrence,
            5,
        ),
        Claim(
            "constant-step",
            "a step costs constant time and memory, however long the past",
            constant_step,
            20,
        ),
    ),
)
