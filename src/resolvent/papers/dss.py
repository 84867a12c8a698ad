"""DSS: diagonal state spaces in exponential and softmax form."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from resolvent.layers import DSS
from resolvent.papers.base import Claim, Paper, Row
from resolvent.structure import Diagonal


def softmax_is_exponential(seeds: Sequence[int]) -> list[Row]:
    """DSS-softmax's kernel, written out, against DSS-exp with W / (e^(λΔL) - 1)."""
    worst = 0.0
    for seed in seeds:
        torch.manual_seed(seed)
        length, layer = 256, DSS(4, 32).double()
        with torch.no_grad():
            system = layer.continuous()
            assert isinstance(system.A, Diagonal)
            W, z = 2 * system.C, system.A.values * layer.step_size()
            k = torch.arange(length)
            softmax = (z[..., None] * k).exp()
            softmax = softmax / softmax.sum(-1, keepdim=True)
            published = torch.einsum("dn,dnl->dl", W / system.A.values, softmax).real
            layer.W.copy_(torch.view_as_real(W / torch.expm1(z * length)))
            worst = max(worst, float((layer.kernel(length) - published).abs().max()))
    return [
        Row(
            "softmax kernel against exponential kernel, largest difference",
            "0",
            f"{worst:.1e}",
            worst < 1e-10,
        )
    ]


PAPER = Paper(
    name="DSS",
    title="Diagonal State Spaces are as Effective as Structured State Spaces",
    authors="Ankit Gupta, Albert Gu, Jonathan Berant",
    year=2022,
    venue="Advances in Neural Information Processing Systems",
    choices="diagonal, eigenvalues shared by all features · skew part of HiPPO-LegS · ZOH, "
    "B = 1, a step size a feature · time-invariant",
    layer=DSS,
    claims=(
        Claim(
            "softmax-is-exponential",
            "the softmax form at length L is the exponential form with another W",
            softmax_is_exponential,
            2,
        ),
    ),
)
