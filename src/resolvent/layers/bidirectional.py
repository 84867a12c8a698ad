"""Two layers, one in each direction of time: an order around any layer, not a new layer."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from resolvent.layers.mixer import Mixer
from resolvent.topology.orders import reverse, reverse_resets


class Bidirectional(nn.Module):
    """Sum of a layer and of a second one that reads every row from its last real step to its first.

    Not causal, so there is no ``step`` and no state; the returned state is None.

    Args:
        forward_layer: layer that reads from left to right.
        backward_layer: layer of the same ``d_model`` that reads from right to left.
    """

    causal: ClassVar[bool] = False

    def __init__(self, forward_layer: Mixer, backward_layer: Mixer):
        super().__init__()
        if forward_layer.d_model != backward_layer.d_model:
            raise ValueError(
                f"backward_layer: d_model is {backward_layer.d_model}, "
                f"expected {forward_layer.d_model} as in forward_layer"
            )
        self.d_model = forward_layer.d_model
        self.forward_layer = forward_layer
        self.backward_layer = backward_layer

    def forward(
        self,
        u: Tensor,
        state: None = None,
        *,
        dt: Tensor | None = None,
        resets: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> tuple[Tensor, None]:
        """Run both directions; arguments as in :meth:`Layer.forward`, ``state`` must be None.

        dt[t] is how long u[t] holds, the same from either side: going backward it scales the step
        that takes u[t] in.

        Raises:
            ValueError: a state is given, or as :meth:`Layer.forward`.
        """
        if state is not None:
            raise ValueError("state: a bidirectional layer reads the future and has no state")
        forward, _ = self.forward_layer(u, dt=dt, resets=resets, lengths=lengths)
        backward, _ = self.backward_layer(
            reverse(u, lengths),
            dt=None if dt is None else reverse(dt, lengths),
            resets=None if resets is None else reverse_resets(resets, lengths),
            lengths=lengths,
        )
        return forward + reverse(backward, lengths), None
