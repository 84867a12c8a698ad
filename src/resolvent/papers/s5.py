"""S5: one multi-input system instead of many single-input ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from resolvent.layers import S4D, S5
from resolvent.papers.base import Claim, Paper, Row


def tied_is_s4d(seeds: Sequence[int]) -> list[Row]:
    """S5's output against the projection C of tied S4D systems (proposition 2 of the paper)."""
    worst = 0.0
    for seed in seeds:
        torch.manual_seed(seed)
        d_model, d_state, length = 6, 16, 200
        s5, s4d = S5(d_model, d_state).double(), S4D(d_model, d_state).double()
        u = torch.randn(2, length, d_model, dtype=torch.float64)
        with torch.no_grad():
            s5.D.zero_()
            s5.log_dt.fill_(-3.0)
            y, _ = s5(u)
            # feature i drives its own copy of the same modes, through column i of B and row j of C
            s4d.D.zero_()
            s4d.log_dt.fill_(-3.0)
            s4d.log_decay.copy_(s5.log_decay.expand_as(s4d.log_decay))
            s4d.frequency.copy_(s5.frequency.expand_as(s4d.frequency))
            s4d.B.copy_(s5.B.transpose(0, 1))
            for j in range(d_model):
                s4d.C.copy_(s5.C[j].expand_as(s4d.C))
                each, _ = s4d(u)
                worst = max(worst, float((each.sum(-1) - y[..., j]).abs().max()))
    return [
        Row(
            "S5 against summed tied S4D systems, largest difference",
            "0",
            f"{worst:.1e}",
            worst < 1e-10,
        )
    ]


PAPER = Paper(
    name="S5",
    title="Simplified State Space Layers for Sequence Modeling",
    authors="Jimmy T. H. Smith, Andrew Warrington, Scott W. Linderman",
    year=2023,
    venue="International Conference on Learning Representations",
    choices="diagonal in conjugate halves, dense B and C · LegS normal part in blocks · ZOH, a "
    "step size a state or a step · time-invariant",
    layer=S5,
    claims=(Claim("tied-is-s4d", "S5 computes a projection of tied S4D systems", tied_is_s4d, 3),),
)
