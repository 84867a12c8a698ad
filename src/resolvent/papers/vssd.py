"""VSSD: without the decay between steps, the order of tokens does not matter."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from resolvent.layers import Mamba2, NonCausalSSD
from resolvent.papers.base import Claim, Paper, Row


@torch.no_grad()
def order_free(seeds: Sequence[int]) -> list[Row]:
    """Permute 64 tokens: outputs of both layers without a wider convolution, in float64."""
    rows = []
    for name, layer_of, free in (
        ("non-causal SSD", lambda: NonCausalSSD(16, 8, d_conv=1), True),
        ("Mamba-2", lambda: Mamba2(16, 8, d_conv=1), False),
    ):
        worst = 0.0
        for seed in seeds:
            torch.manual_seed(seed)
            layer, u = layer_of().double(), torch.randn(2, 64, 16).double()
            order = torch.randperm(64)
            y, permuted = layer(u)[0], layer(u[:, order])[0]
            worst = max(worst, float((permuted - y[:, order]).abs().max() / y.abs().max()))
        holds = (worst < 1e-10) == free
        published = "0" if free else "more"
        rows.append(
            Row(f"{name}: permuted output, relative difference", published, f"{worst:.1e}", holds)
        )
    return rows


PAPER = Paper(
    name="VSSD",
    title="VSSD: Vision Mamba with Non-Causal State Space Duality",
    authors="Yuheng Shi, Minjing Dong, Mingjia Li, Chang Xu",
    year=2024,
    venue="arXiv:2407.18559",
    choices="a scalar a head as in Mamba-2, its size a weight instead of a decay · one sum over "
    "the whole sequence · dt, B and C from the token · not causal",
    layer=NonCausalSSD,
    claims=(
        Claim(
            "order-free",
            "without the decay between steps a permutation of the tokens permutes the output",
            order_free,
            2,
        ),
    ),
)
