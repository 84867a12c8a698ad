"""Layers that are a state-space system: an author gives `prepare`, `finish` and `system`.

The state is that of the system, and beside it what `prepare` keeps (the tail of a convolution).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

from torch import Tensor

from resolvent.execute import check_name, run
from resolvent.layers.mixer import Mixer, Rule, Timing, full_precision
from resolvent.layers.state import State, pack, unpack
from resolvent.system import Discrete

__all__ = ["Layer", "Mixer", "Prepared", "Rule", "Timing", "full_precision"]


class Prepared(NamedTuple):
    """What a layer's first half hands to the execution and to its second half.

    Attributes:
        system: the discrete system to run.
        x: its input (b, l, m, p), or (b, l, m) if p = 1.
        memory: what to keep for the next call.
        carry: what `finish` needs besides the output.
        gate: (b, l, m, q), if the output to finish is to be y silu(gate): with some systems one
            kernel does both.
    """

    system: Discrete
    x: Tensor
    memory: tuple[Tensor, ...] = ()
    carry: tuple[Tensor, ...] = ()
    gate: Tensor | None = None


class Layer(Mixer):
    """A sequence layer around one discrete system a call.

    Args:
        d_model: number of features in and out.
        execution: how sequences run, see :func:`resolvent.execute.run`.

    Raises:
        ValueError: d_model is not a positive integer, or the execution is unknown.
    """

    def __init__(self, d_model: int, execution: str = "auto"):
        super().__init__(d_model)
        check_name(execution)
        self.execution = execution

    @abstractmethod
    def prepare(self, u: Tensor, memory: tuple[Tensor, ...], timing: Timing) -> Prepared:
        """First half: from input u (b, l, d_model) to a system and its input."""

    def finish(self, y: Tensor, prepared: Prepared) -> Tensor:
        """Second half: from the system's output y (b, l, m, q) to (b, l, d_model)."""
        return y if y.ndim == 3 else y.flatten(2)

    @abstractmethod
    def system(self, u: Tensor | None = None, dt: Tensor | None = None) -> Discrete:
        """The discrete system run on input u (b, l, d_model) with step factors dt (b, l)."""

    def mix(self, u: Tensor, state: State | None, timing: Timing) -> tuple[Tensor, State]:
        """Prepare, run the system in full precision, finish."""
        prepared = self.prepare(u, () if state is None else state.memory, timing)
        with full_precision(u.device):
            y, h = self._recur(prepared, state, timing)
        return self.finish(y, prepared), State(h, prepared.memory)

    def _recur(
        self, prepared: Prepared, state: State | None, timing: Timing
    ) -> tuple[Tensor, Tensor]:
        system, dtype = prepared.system, prepared.system.form.dtype
        h0 = None if state is None else unpack(state.h, dtype).to(dtype)
        y, h = run(
            system,
            prepared.x.to(system.D.dtype),
            h0,
            resets=timing.resets,
            lengths=timing.lengths,
            gate=prepared.gate,
            execution=self.execution if prepared.x.shape[1] > 1 else "auto",
        )
        return y, pack(h)
