"""Layers around a cell h_t = f(h_{t-1}, x_t) that is not linear in its state.

An author gives `inputs`, `cell` and `output`; sequences run by the loop over steps, or all steps at
once by Newton's method. There is no continuous time behind a gate: a step that lasts dt (irregular
time) applies the gates of the step dt times over, so that what keeps f a step keeps f^dt.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.func import jacfwd, vmap

from resolvent.execute import NewtonOptions, newton, unroll
from resolvent.layers.mixer import Mixer, Timing, full_precision, needed
from resolvent.layers.state import State
from resolvent.structure import Dense
from resolvent.structure.diagonal import scalar_phi1
from resolvent.system import Varying

EXECUTIONS = ("auto", "loop", "newton")


class NonlinearLayer(Mixer):
    """A sequence layer whose recurrence is a cell.

    Args:
        d_model: number of features in and out.
        states: numbers in the state of one row.
        block: size of the blocks on the diagonal of the cell's Jacobian, 1 where no state sees
            another one; None where it is dense. Sequences run by Newton's method where there are
            blocks, and by the loop where there are none, if execution is "auto".
        execution: "auto", "loop" or "newton". What is compiled or exported runs by the loop, since
            how often Newton's method iterates depends on the data.

    Raises:
        ValueError: d_model is not a positive integer, or the execution is unknown.
    """

    options = NewtonOptions()

    def __init__(self, d_model: int, states: int, block: int | None, execution: str):
        super().__init__(d_model)
        if execution not in EXECUTIONS:
            known = ", ".join(EXECUTIONS)
            raise ValueError(f"execution: {execution!r} is unknown; choose one of {known}")
        self.states, self.block, self.execution = states, block, execution

    @abstractmethod
    def inputs(self, u: Tensor) -> Tensor:
        """What the cell reads of u (..., d_model), for all steps at once: (..., anything)."""

    @abstractmethod
    def cell(self, h: Tensor, x: Tensor, dt: Tensor | None = None) -> Tensor:
        """Next states (r, states) from states, inputs, and the steps' lengths (r, 1), or 1."""

    @abstractmethod
    def output(self, h: Tensor) -> Tensor:
        """Features (..., d_model) of states (..., states)."""

    def initial_state(
        self,
        batch_size: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> State:
        """Zeros (batch_size, states)."""
        h = next(self.parameters()).new_zeros(batch_size, self.states)
        return State(h.to(device=device, dtype=dtype))

    def mix(self, u: Tensor, state: State | None, timing: Timing) -> tuple[Tensor, State]:
        """Project, run the cell in full precision, read out."""
        x = self.inputs(u)
        with full_precision(u.device):
            dtype = next(self.parameters()).dtype
            h0 = self.initial_state(len(u)).h if state is None else state.h.to(dtype)
            steps = (x.to(dtype),)
            if timing.dt is not None:
                steps = (*steps, timing.dt.to(dtype)[..., None])
            h, last = self._read_out(steps, h0, timing)
        return self.output(h), State(last)

    def _read_out(
        self, steps: tuple[Tensor, ...], h0: Tensor, timing: Timing
    ) -> tuple[Tensor, Tensor]:
        """What `output` reads of the states, and the last state; by default the states."""
        return self._recur(steps, h0, timing)

    def _recur(
        self, steps: tuple[Tensor, ...], h0: Tensor, timing: Timing
    ) -> tuple[Tensor, Tensor]:
        execution, length = self.execution, steps[0].shape[1]
        if execution == "auto":
            execution = "loop" if self.block is None else "newton"
        if execution == "loop" or length <= 1 or torch.compiler.is_compiling():
            return unroll(self.cell, steps, h0, timing.resets, timing.lengths)
        found = newton(
            self.cell,
            steps,
            h0,
            block=self.block,
            resets=timing.resets,
            lengths=timing.lengths,
            options=self.options,
        )
        return found.h, found.last

    def system(self, u: Tensor | None = None, dt: Tensor | None = None) -> Varying:
        """The layer linearised along its trajectory on u (b, l, d_model).

        A_t = dh_t/dh_{t-1}, B_t = dh_t/du_t and C_t = dy_t/dh_t, all dense: what deviations
        run through. The products C_i A_i ... A_{j+1} B_j are the derivatives dy_i/du_j.

        Raises:
            TypeError: u is missing.
        """
        u = needed(self, u)
        timing = Timing(dt=dt)
        with full_precision(u.device), torch.no_grad():
            h0 = self.initial_state(len(u)).h
            times = () if dt is None else (dt[..., None].to(h0.dtype),)
            u = u.to(h0.dtype)
            h, _ = self._recur((self.inputs(u), *times), h0, timing)
            before = torch.cat([h0[:, None], h[:, :-1]], 1)

            def step(h: Tensor, u: Tensor, *dt: Tensor) -> Tensor:
                return self.cell(h[None], self.inputs(u[None]), *(v[None] for v in dt))[0]

            A, B = _each(jacfwd(step, (0, 1)), before, u, *times)
            C = _each(jacfwd(self.output), h)
        A, B, C = A[:, :, None], B[:, :, None], C[:, :, None]
        return Varying.of(Dense(A), B, C, B.new_zeros(1, self.d_model), mimo=True)


def _each(f: Callable, *arguments: Tensor) -> Any:
    """A function of one step at every step (b, l)."""
    return vmap(vmap(f))(*arguments)


def log_hold(log_keep: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
    """A gate that keeps e^log_keep a step, over dt steps: what it keeps, and how often it adds.

    Returns:
        log keep^dt, and the sum of the powers of keep below dt, (1 - keep^dt) / (1 - keep).
    """
    return dt * log_keep, dt * scalar_phi1(dt * log_keep) / scalar_phi1(log_keep)


def hold(log_keep: Tensor, dt: Tensor | None) -> tuple[Tensor, Tensor | float]:
    """The same, where dt may be None, a step: keep^dt itself, and how often it adds."""
    if dt is None:
        return log_keep.exp(), 1.0
    log_keep, times = log_hold(log_keep, dt)
    return log_keep.exp(), times
