"""Aaren: softmax attention computed as a recurrence."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from resolvent.layers import Aaren
from resolvent.papers.base import Claim, Paper, Row


def exact(seeds: Sequence[int]) -> list[Row]:
    """Aaren against softmax attention with its query, at every prefix, for scores of any size."""
    rows = []
    for scale in (1.0, 10.0):
        worst = 0.0
        for seed in seeds:
            torch.manual_seed(seed)
            layer = Aaren(16, heads=4).double()
            u = scale * torch.randn(2, 512, 16, dtype=torch.float64)
            with torch.no_grad():
                worst = max(worst, float((layer(u)[0] - _attention(layer, u)).abs().max()))
        rows.append(
            Row(f"largest difference, inputs of size {scale:g}", "0", f"{worst:.1e}", worst < 1e-10)
        )
    return rows


def constant_memory(seeds: Sequence[int]) -> list[Row]:
    """Bytes of the state after one step and after 10,000, and the last output of a stream."""
    torch.manual_seed(min(seeds))
    layer = Aaren(16, heads=4).double()
    u = torch.randn(1, 10_000, 16, dtype=torch.float64)
    sizes = []
    with torch.no_grad():
        for length in (1, len(u[0])):
            _, state = layer(u[:, :length])
            sizes.append(sum(x.numel() * x.element_size() for x in (state.h, *state.memory)))
        _, state = layer(u[:, :-1])
        last, _ = layer.step(u[:, -1], state)
        error = float((last - _attention(layer, u)[:, -1]).abs().max())
    keys = 2 * u.numel() * u.element_size()
    return [
        Row(
            "bytes of state after 1 and 10,000 steps",
            "equal",
            "{} and {}".format(*sizes),
            sizes[0] == sizes[1],
        ),
        Row("bytes of keys and values that attention keeps instead", "-", f"{keys:,}"),
        Row("difference of step 10,000, streamed", "0", f"{error:.1e}", error < 1e-10),
    ]


def _attention(layer: Aaren, u: Tensor) -> Tensor:
    """PyTorch's causal attention with the layer's query at every step."""
    heads, p = layer.query.shape
    k, v = (f(u).unflatten(-1, (heads, p)).transpose(1, 2) for f in (layer.key, layer.value))
    q = layer.query[:, None].expand_as(k)
    y = scaled_dot_product_attention(q, k, v, is_causal=True)
    return layer.out_proj(y.transpose(1, 2).flatten(2))


PAPER = Paper(
    name="Aaren",
    title="Attention as an RNN",
    authors="Leo Feng, Frederick Tung, Hossein Hajimirsadeghi, Mohamed Osama Ahmed, "
    "Yoshua Bengio, Greg Mori",
    year=2024,
    venue="arXiv:2405.13956",
    choices="one decay a head, from the running log-sum-exp of the scores · learned query · born "
    "discrete · input-dependent",
    layer=Aaren,
    claims=(
        Claim(
            "equals-attention",
            "Aaren computes softmax attention exactly, for every prefix",
            exact,
            2,
        ),
        Claim(
            "constant-memory",
            "A new token is taken in without keeping the earlier ones",
            constant_memory,
            5,
        ),
    ),
)
