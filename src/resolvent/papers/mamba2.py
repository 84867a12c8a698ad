"""Mamba-2: the recurrence and the masked attention matrix are one."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from resolvent.execute import run
from resolvent.layers import Mamba2, Timing
from resolvent.papers.base import Claim, Paper, Row
from resolvent.structure import Scalar


def duality(seeds: Sequence[int]) -> list[Row]:
    """Outputs of the recurrence against (L * C B^T) x + D x, L the products of decays."""
    worst, length = 0.0, 150
    for seed in seeds:
        torch.manual_seed(seed)
        layer, u = Mamba2(16, 8, head_dim=8).double(), torch.randn(2, length, 16).double()
        with torch.no_grad():
            system, x, *_ = layer.prepare(u, (), Timing())
            assert isinstance(system.A, Scalar)
            decay = system.A.value.log().cumsum(1)
            past = torch.ones(length, length).tril().bool()[..., None]
            L = torch.where(past, decay[:, :, None] - decay[:, None], -torch.inf).exp()
            scores = torch.einsum("btmn,bsmn->btsm", system.C.expand_as(system.B), system.B)
            y = torch.einsum("btsm,btsm,bsmp->btmp", L, scores, x) + system.D * x
            worst = max(worst, float((run(system, x)[0] - y).abs().max()))
    holds = worst < 1e-10
    return [
        Row("recurrence against masked attention, largest difference", "0", f"{worst:.1e}", holds)
    ]


PAPER = Paper(
    name="Mamba-2",
    title="Transformers are SSMs: Generalized Models and Efficient Algorithms Through Structured "
    "State Space Duality",
    authors="Tri Dao, Albert Gu",
    year=2024,
    venue="International Conference on Machine Learning",
    choices="a scalar a head of p channels · uniform in (-16, -1) · exp for A, Euler for B · dt, B "
    "and C from the token",
    layer=Mamba2,
    claims=(
        Claim("duality", "the recurrence is attention with a 1-semiseparable mask", duality, 2),
    ),
)
