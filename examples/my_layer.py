"""A layer of your own in one file: leaky integrators, h_t = (1 - rate) h_{t-1} + rate u_t.

Check it with `resolvent verify examples/my_layer.py:LeakyIntegrator`.
"""

import torch

from resolvent.layers import InvariantLayer
from resolvent.structure import Diagonal
from resolvent.system import Continuous


class LeakyIntegrator(InvariantLayer):
    """One exponential memory a feature, with a learned time constant.

    Args:
        d_model: number of features.
        slowest: longest initial time constant, in steps.
    """

    def __init__(self, d_model: int, slowest: float = 100.0):
        super().__init__(d_model, rule="zoh")
        self.declare("log_rate", -torch.linspace(0, 1, d_model)[:, None] * slowest**0.5, 1e-3, 0.0)
        self.declare("D", torch.zeros(d_model, 1))

    def continuous(self) -> Continuous:
        """The system h' = -h + u, y = h: all that differs between features is their clock."""
        one = torch.ones_like(self.D)
        return Continuous(Diagonal(-one), one, one, self.D)

    def step_size(self) -> torch.Tensor:
        """The rate at which the past is forgotten."""
        return self.log_rate.exp()
