"""Layers whose system does not depend on the input: y = K * u + D u."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from resolvent import discretize, execute
from resolvent.discretize import Rule
from resolvent.layers.base import Layer, Prepared, Timing, full_precision
from resolvent.layers.state import State, pack
from resolvent.system import Continuous, Invariant, Varying


class InvariantLayer(Layer):
    """A layer given by a continuous system, a discretisation rule and a learned step size.

    Args:
        d_model: number of features in and out.
        rule: discretisation, a name or a function of :mod:`resolvent.discretize`.
        execution: see :func:`resolvent.execute.run`.
    """

    def __init__(self, d_model: int, rule: str | Rule, execution: str = "auto"):
        super().__init__(d_model, execution)
        self.rule = discretize.by_name(rule)

    @abstractmethod
    def continuous(self) -> Continuous:
        """The continuous system that the parameters state."""

    @abstractmethod
    def step_size(self) -> Tensor:
        """Step sizes (m, 1), or (m, n): one a state."""

    def system(self, u: Tensor | None = None, dt: Tensor | None = None) -> Invariant | Varying:
        """The discrete system; it varies only if factors dt (b, l) scale the step size.

        Raises:
            TypeError: the parameters are in half precision.
        """
        step = self.step_size()
        if step.dtype not in (torch.float32, torch.float64):
            raise TypeError(
                f"{type(self).__name__}: expected parameters in float32 or float64, got "
                f"{step.dtype}; keep the layer in float32 and run it under torch.autocast"
            )
        with full_precision(step.device):
            if dt is None:
                return self.continuous().discretize(self.rule, step)
            dt = dt.to(step.dtype)[..., None, None] * step
            return self.continuous().discretize_each(self.rule, dt)

    def kernel(self, length: int) -> Tensor:
        """Impulse response without D: (d_model, length), or (d_out, d_in, length) if dense."""
        system = self.system()
        assert isinstance(system, Invariant)
        with full_precision(system.D.device):
            K = execute.kernel(system, length)
        return K[0] if system.mimo else K

    def prepare(self, u: Tensor, memory: tuple[Tensor, ...], timing: Timing) -> Prepared:
        """The features are dealt out to heads; nothing else happens."""
        system = self.system(u, timing.dt)
        one = system.D.shape[1] == 1 and not system.mimo  # a feature is a head
        return Prepared(system, u if one else u.unflatten(-1, tuple(system.D.shape)))

    def initial_state(
        self,
        batch_size: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> State:
        """Zeros; shapes follow from the system."""
        with torch.no_grad():
            system = self.system()
            shape = system.state_shape(system.D.shape[1])
            h = torch.zeros(batch_size, *shape, dtype=system.form.dtype, device=system.D.device)
            return State(pack(h).to(device=device, dtype=dtype))
