"""The contract of every sequence layer, written once around one method, `mix`.

`forward`, `step`, the checks of arguments, padding and optimiser rules are derived here; `step` IS
forward at length 1, so the two cannot drift apart. A layer that is a state-space system derives
from `layers.base.Layer`, which gives `mix` from the system.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from resolvent.layers.state import State
from resolvent.topology.padding import real_steps, zero_padding
from resolvent.topology.segments import Segments


class Rule(NamedTuple):
    """How the optimiser treats a parameter; None leaves the run's own setting.

    Attributes:
        max_lr: upper bound of the learning rate (dynamics want small ones: Gu et al. 2022).
        weight_decay: weight decay of this parameter.
    """

    max_lr: float | None = None
    weight_decay: float | None = None


@dataclass(frozen=True, eq=False)
class Timing:
    """When things happen in a batch.

    Attributes:
        dt: (b, l) factors that scale the step size at each step, or None.
        resets: (b, l) bool, True where the past is dropped before the step, or None.
        lengths: (b,) number of real steps of each right-padded row, or None.
    """

    dt: Tensor | None = None
    resets: Tensor | None = None
    lengths: Tensor | None = None


class WholeMixer(nn.Module, ABC):
    """Anything (b, l, d_model) -> (b, l, d_model) that reads whole sequences, the future too.

    It is not causal, so there is no ``step`` and no state; the returned state is None.

    Args:
        d_model: number of features in and out.

    Attributes:
        cost: what the last forward in training adds to the mean loss of its batch, if anything; it
            is taken with :func:`take_costs`.

    Raises:
        ValueError: d_model is not a positive integer.
    """

    causal: ClassVar[bool] = False
    cost: Tensor | None = None

    if TYPE_CHECKING:  # what `declare` and `register_buffer` make

        def __getattr__(self, name: str) -> Tensor: ...

    def __init__(self, d_model: int):
        super().__init__()
        if not isinstance(d_model, int) or d_model < 1:
            raise ValueError(f"d_model: must be a positive integer, got {d_model!r}")
        self.d_model = d_model
        self.rules: dict[str, Rule] = {}

    def declare(
        self,
        name: str,
        value: Tensor,
        max_lr: float | None = None,
        weight_decay: float | None = None,
    ) -> None:
        """Register parameter ``name`` with its optimiser rule; complex is stored as (..., 2)."""
        value = value.detach()
        real = torch.view_as_real(value) if value.is_complex() else value
        real = real.to(torch.get_default_dtype()).clone(memory_format=torch.contiguous_format)
        self.register_parameter(name, nn.Parameter(real))
        self.rules[name] = Rule(max_lr, weight_decay)

    @abstractmethod
    def mix(self, u: Tensor, state: State | None, timing: Timing) -> tuple[Tensor, State | None]:
        """What the layer does: forward without the checks, on u that is 0 where it is padded."""

    def apart(self, run: Callable[[Tensor, Timing], Tensor], u: Tensor, timing: Timing) -> Tensor:
        """``run`` on rows without resets: each part of u's rows between resets is one."""
        if timing.resets is None:
            return run(u, timing)
        parts = Segments.of(timing.resets, timing.lengths)
        dt = None if timing.dt is None else parts.split(timing.dt)
        y = run(parts.split(u), Timing(dt, None, parts.lengths))
        return parts.join(y, *u.shape[:2])

    def forward(
        self,
        u: Tensor,
        state: State | None = None,
        *,
        dt: Tensor | None = None,
        resets: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> tuple[Tensor, State | None]:
        """Run whole sequences in parallel.

        Args:
            u: (b, l, d_model).
            state: what earlier calls returned; the initial state by default. None if not causal.
            dt: (b, l) positive factors of the step size, for irregular time; 1 by default.
            resets: (b, l) bool, True where the past is dropped before the step (the input is kept).
            lengths: (b,) integers, right padding; what lies beyond a row's length is ignored, its
                output is 0, and the row's state is that of its last real step.

        Returns:
            Output (b, l, d_model) and the state after each row's last step; None if not causal.

        Raises:
            ValueError: an argument has the wrong shape, dtype or range; a state is given to a layer
                that is not causal.
        """
        if state is not None and not self.causal:
            raise ValueError(f"state: {type(self).__name__} reads the future and has no state")
        timing = self._check(u, dt, resets, lengths)
        real = None if lengths is None else real_steps(lengths, u.shape[1])
        y, state = self.mix(zero_padding(u, real), state, timing)
        return zero_padding(y.to(u.dtype), real), state

    def _check(
        self, u: Tensor, dt: Tensor | None, resets: Tensor | None, lengths: Tensor | None
    ) -> Timing:
        if u.ndim != 3 or u.shape[-1] != self.d_model:
            raise ValueError(
                f"u: expected (batch, length, {self.d_model}), got {tuple(u.shape)}; "
                "axes are batch, time, feature"
            )
        if not u.is_floating_point():
            raise ValueError(
                f"u: expected floating-point numbers, got {u.dtype}; convert with float()"
            )
        b, length = u.shape[:2]
        for name, value, shape in (
            ("dt", dt, (b, length)),
            ("resets", resets, (b, length)),
            ("lengths", lengths, (b,)),
        ):
            if value is not None and tuple(value.shape) != shape:
                raise ValueError(f"{name}: expected shape {shape}, got {tuple(value.shape)}")
        if resets is not None and resets.dtype != torch.bool:
            raise ValueError(f"resets: expected bool, got {resets.dtype}")
        if lengths is not None and (lengths.is_floating_point() or lengths.dtype == torch.bool):
            raise ValueError(f"lengths: expected integers, got {lengths.dtype}")
        if not torch.compiler.is_compiling():
            _check_values(dt, lengths, length)
        if dt is not None and lengths is not None:
            dt = torch.where(real_steps(lengths, length), dt, torch.ones_like(dt))
        return Timing(dt, resets, None if lengths is None else lengths.long())


class Mixer(WholeMixer):
    """Anything (b, l, d_model) -> (b, l, d_model) with a state that can be carried.

    Attributes:
        grows: whether the state grows with the steps read (a cache of all keys); the tensors of
            such a state hold one entry a step along axis 1, the latest one last, and zeros before
            a row's first.
    """

    causal: ClassVar[bool] = True
    grows: bool = False

    @abstractmethod
    def mix(self, u: Tensor, state: State | None, timing: Timing) -> tuple[Tensor, State]:
        """As above, with the state after each row's last step."""

    @abstractmethod
    def initial_state(
        self,
        batch_size: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> State:
        """The state before the first step: zeros on the layer's own device and dtype by default."""

    def step(self, u_t: Tensor, state: State, *, dt: Tensor | None = None) -> tuple[Tensor, State]:
        """One step of a stream: u_t (b, d_model), dt (b,) -> y_t (b, d_model) and the new state."""
        if u_t.ndim != 2:
            raise ValueError(f"u_t: expected (b, {self.d_model}), got {tuple(u_t.shape)}")
        y, after = self.forward(u_t[:, None], state, dt=None if dt is None else dt[:, None])
        assert after is not None  # what is causal has a state
        return y[:, 0], after


def _check_values(dt: Tensor | None, lengths: Tensor | None, length: int) -> None:
    if (
        lengths is not None
        and lengths.numel()
        and not 0 <= lengths.min() <= lengths.max() <= length
    ):
        low, high = int(lengths.min()), int(lengths.max())
        raise ValueError(f"lengths: must lie in 0..{length}, got values from {low} to {high}")
    if dt is not None:
        real = dt if lengths is None else dt[real_steps(lengths, length)]
        if not bool((torch.isfinite(real) & (real > 0)).all()):
            low, high = float(real.min()), float(real.max())
            raise ValueError(
                f"dt: expected positive, finite factors of the step size, got values from {low:g} "
                f"to {high:g}; 1 is the learned step"
            )


def full_precision(device: torch.device) -> AbstractContextManager:
    """Autocast switched off on a device: systems and recurrences never run in half precision."""
    if torch.is_autocast_enabled(device.type):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()


def dtype_of(linear: nn.Module) -> torch.dtype:
    """The dtype that a linear map computes in; a packed one has no parameters: float32."""
    return next((x.dtype for x in linear.parameters()), torch.float32)


def take_costs(model: nn.Module) -> Tensor | float:
    """The sum of what the layers of a model charge for its last forward, each once."""
    total: Tensor | float = 0.0
    for module in model.modules():
        if isinstance(module, WholeMixer) and module.cost is not None:
            total, module.cost = total + module.cost, None
    return total


def needed(layer: nn.Module, u: Tensor | None) -> Tensor:
    """The input that the system of a layer depends on.

    Raises:
        TypeError: it is missing.
    """
    if u is None:
        raise TypeError(f"u: the system of {type(layer).__name__} depends on its input; give it")
    return u


def positive_quotient(name: str, whole: int, part: int, of: str) -> int:
    """How many parts make the whole.

    Raises:
        ValueError: the argument ``name``, which is ``part``, does not divide ``of``.
    """
    if not isinstance(part, int) or part < 1 or whole % part:
        raise ValueError(f"{name}: must divide {of}, {whole}, got {part!r}")
    return whole // part
