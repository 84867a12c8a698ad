"""LSTM (Hochreiter & Schmidhuber 1997; Gers et al. 2000), as torch.nn.LSTM computes it.

i, f, g, o = W u + b + R h + c                  R may be head-wise
c' = sigma(f) c + sigma(i) tanh(g)
h' = sigma(o) tanh(c')

The parameters have torch.nn.LSTM's names and shapes: its state_dict loads, and gives equal outputs.
"""

from __future__ import annotations

from resolvent.layers.gated import GatedLayer


class LSTM(GatedLayer):
    """Long short-term memory; with one head its weights are those of torch.nn.LSTM.

    The state is [h, c].

    Args:
        d_model: number of features, and of hidden states.
        heads: blocks of the recurrent matrices; must divide d_model.
        execution: "auto" (the fused kernel), "loop" or "newton" (dense Jacobians: for few states).

    Raises:
        ValueError: heads does not divide d_model.
    """

    kind = "lstm"

    def __init__(self, d_model: int, heads: int = 1, execution: str = "auto"):
        super().__init__(d_model, 4, 2, heads, execution)
