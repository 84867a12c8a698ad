"""Two layers, one in each direction of time: an order around any layer, not a new layer."""

from __future__ import annotations

from torch import Tensor

from resolvent.layers.mixer import Timing, WholeMixer
from resolvent.layers.state import State
from resolvent.topology.orders import reverse, reverse_resets


class Bidirectional(WholeMixer):
    """Sum of a layer and of a second one that reads every row from its last real step to its first.

    dt[t] is how long u[t] holds, the same from either side: going backward it scales the step that
    takes u[t] in.

    Args:
        forward_layer: layer that reads from left to right.
        backward_layer: layer of the same ``d_model`` that reads from right to left.

    Raises:
        ValueError: the layers have different numbers of features, or one is not causal.
    """

    def __init__(self, forward_layer: WholeMixer, backward_layer: WholeMixer):
        super().__init__(forward_layer.d_model)
        for name, layer in (("forward", forward_layer), ("backward", backward_layer)):
            if not layer.causal:
                raise ValueError(
                    f"{name}_layer: expected a causal layer; {type(layer).__name__} reads both "
                    "directions by itself"
                )
        if forward_layer.d_model != backward_layer.d_model:
            raise ValueError(
                f"backward_layer: d_model is {backward_layer.d_model}, "
                f"expected {forward_layer.d_model} as in forward_layer"
            )
        self.forward_layer = forward_layer
        self.backward_layer = backward_layer

    def mix(self, u: Tensor, state: State | None, timing: Timing) -> tuple[Tensor, None]:
        """Run both directions."""
        dt, resets, lengths = timing.dt, timing.resets, timing.lengths
        forward, _ = self.forward_layer(u, **vars(timing))
        backward, _ = self.backward_layer(
            reverse(u, lengths),
            dt=None if dt is None else reverse(dt, lengths),
            resets=None if resets is None else reverse_resets(resets, lengths),
            lengths=lengths,
        )
        return forward + reverse(backward, lengths), None
