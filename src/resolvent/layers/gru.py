"""GRU (Cho et al. 2014), as torch.nn.GRU computes it, with a recurrence that may be head-wise.

r, z = sigma(W u + b + R h + c)                 reset and update gate
n = tanh(W_n u + b_n + r * (R_n h + c_n))
h' = z h + (1 - z) n

The parameters have torch.nn.GRU's names and shapes: its state_dict loads, and gives equal outputs.
"""

from __future__ import annotations

from resolvent.layers.gated import GatedLayer


class GRU(GatedLayer):
    """Gated recurrent unit; with one head its weights are those of torch.nn.GRU.

    Args:
        d_model: number of features, and of hidden states.
        heads: blocks of the recurrent matrices; must divide d_model.
        execution: "auto" (the fused kernel), "loop" or "newton" (dense Jacobians: for few states).

    Raises:
        ValueError: heads does not divide d_model.
    """

    kind = "gru"

    def __init__(self, d_model: int, heads: int = 1, execution: str = "auto"):
        super().__init__(d_model, 3, 1, heads, execution)
