"""Nonlinear recurrences in parallel: Newton's method on the whole trajectory.

All steps of h_t = f(h_{t-1}, x_t) are one equation, R_t = f(h_{t-1}, x_t) - h_t = 0. A Newton step

    d_t = J_t d_{t-1} + R_t      J_t = df/dh at (h_{t-1}, x_t)      h <- h + d

is a linear recurrence, run like any other (Lim et al. 2024, DEER; Danieli et al. 2025, ParaRNN).
With any J at all, k steps make the first k states exact; with less of it (the diagonal alone:
quasi-Newton; damping) the iterates are tamer (Gonzalez et al. 2024, ELK).

Gradients are those of the implicit function theorem: at the solution, deviations of the inputs run
through the same linear recurrence, whose gradient is one linear recurrence in reverse.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.func import jvp

from resolvent.execute.linearise import apply, diagonal_of, jacobian, propagate
from resolvent.execute.unroll import Cell, before_each, last_state, unroll
from resolvent.topology.padding import real_steps, zero_padding

TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-5}
"""Size of the last Newton step; the error that it leaves is of the order of its square."""

PROBED = 8
"""Rows, and steps of each, at which a declared Jacobian is compared with the cell's own."""


@dataclass(frozen=True)
class NewtonOptions:
    """How Newton's method goes about it.

    Attributes:
        tolerance: largest entry of the last step, relative to the largest state (at least 1); by
            default ``TOLERANCE`` of the dtype.
        max_iterations: steps after which a row is given up and computed sequentially.
        damping: c >= 0, for stiff cells: J_t is divided by 1 + c |R_t|, less and less as the
            residual vanishes, so that the last steps are still Newton's.
        bound: largest modulus of a state, if the cell keeps one: iterates are clipped to it, or to
            the largest of a row's initial state if that is beyond it.
        quasi: iterate with the diagonal of the Jacobian alone, until its steps are small; the last
            step, which tells the error, takes all of it, as gradients do.

    Raises:
        ValueError: a value is out of range.
    """

    tolerance: float | None = None
    max_iterations: int = 64
    damping: float = 0.0
    bound: float | None = None
    quasi: bool = False

    def __post_init__(self) -> None:
        for name, fine, expected in (
            ("tolerance", self.tolerance is None or self.tolerance > 0, "a positive number"),
            ("max_iterations", self.max_iterations >= 0, "0 or more"),
            ("damping", self.damping >= 0, "0 or more"),
            ("bound", self.bound is None or self.bound > 0, "a positive number"),
        ):
            if not fine:
                raise ValueError(f"{name}: expected {expected}, got {getattr(self, name)!r}")


class Solution(NamedTuple):
    """A trajectory and how it was found.

    Attributes:
        h: states (b, l, n), 0 beyond a row's length.
        last: state after each row's last step (b, n).
        converged: which rows Newton's method found (b,); the others were computed step by step.
        iterations: Newton steps taken.
        residual: largest |f(h_{t-1}, x_t) - h_t| of the rows found.
    """

    h: Tensor
    last: Tensor
    converged: Tensor
    iterations: int
    residual: float

    @property
    def status(self) -> str:
        """Either "converged", or "sequential" if some rows had to be computed step by step."""
        return "converged" if bool(self.converged.all()) else "sequential"


@dataclass(frozen=True, eq=False)
class _Problem:
    """A cell with everything but the states."""

    cell: Cell
    x: tuple[Tensor, ...]
    h0: Tensor
    block: int
    resets: Tensor | None
    lengths: Tensor | None

    def next(self, before: Tensor) -> Tensor:
        """The cell at all steps, from states (b, l, n)."""
        rows = self.cell(before.flatten(0, 1), *(v.flatten(0, 1) for v in self.x))
        return rows.view_as(before)

    def linearised(self, before: Tensor) -> tuple[Tensor, Tensor]:
        """The cell at all steps, and the blocks of its Jacobian (b, l, m, k, k)."""
        x = (v.flatten(0, 1) for v in self.x)
        value, J = jacobian(self.cell, before.flatten(0, 1), tuple(x), self.block)
        return value.view_as(before), J.unflatten(0, before.shape[:2])

    def before(self, h: Tensor, h0: Tensor | None = None) -> Tensor:
        """The states that the steps of a trajectory start from."""
        return before_each(h, self.h0 if h0 is None else h0, self.resets)

    def deviation(self, J: Tensor, drive: Tensor, start: Tensor | None = None) -> Tensor:
        """d_t = J_t d_{t-1} + drive_t, and 0 beyond a row's length."""
        return propagate(J, drive, start, self.resets, self.lengths)

    def sequential(self, rows: Tensor) -> Tensor:
        """The trajectories of some rows by the loop over steps."""
        resets, lengths = (None if v is None else v[rows] for v in (self.resets, self.lengths))
        return unroll(self.cell, tuple(v[rows] for v in self.x), self.h0[rows], resets, lengths)[0]

    def with_gradient(self, h: Tensor) -> Tensor:
        """The trajectory h plus a deviation that is 0, but depends on all that h depends on."""
        before = self.before(h, self.h0.detach())
        value = self.next(before)
        if not (value.requires_grad or self.h0.requires_grad):
            return h
        with torch.no_grad():
            _, J = self.linearised(before)
            _check_blocks(self, before, J)
        return h + self.deviation(J, value - value.detach(), self.h0 - self.h0.detach())


def newton(
    cell: Cell,
    x: Tensor | tuple[Tensor, ...],
    h0: Tensor,
    *,
    block: int | None = None,
    resets: Tensor | None = None,
    lengths: Tensor | None = None,
    options: NewtonOptions = NewtonOptions(),  # noqa: B008 (frozen)
) -> Solution:
    """Solve h_t = cell(h_{t-1}, x_t) for all steps at once; never returns an unconverged answer.

    Args:
        cell: differentiable function of states (r, n) and inputs (r, ...) to states (r, n), each
            row by itself (torch.nn.GRUCell with its arguments exchanged is one); parameters that it
            closes over receive gradients, of first order.
        x: inputs (b, l, ...), or a tuple of such, which the cell takes one by one.
        h0: initial states (b, n).
        block: size of the blocks on the diagonal of df/dh, with nothing beside them: 1 where no
            state sees another one; None where df/dh is dense.
        resets: (b, l) bool, True where the past is dropped before the step: the state is 0.
        lengths: (b,) integers, right padding.
        options: tolerance, iterations, damping, quasi-Newton.

    Returns:
        The states and how they were found. Rows that do not converge are computed by the loop over
        steps, with a RuntimeWarning if they are finite.

    Raises:
        ValueError: df/dh has entries beside its blocks, or n is not a multiple of their size.
    """
    x, (b, n) = x if isinstance(x, tuple) else (x,), h0.shape
    size, length = n if block is None else block, x[0].shape[1]
    if size < 1 or n % size:
        raise ValueError(f"block: expected a divisor of the {n} states, got {block!r}")
    if b == 0 or length == 0:
        nothing = torch.ones(b, dtype=torch.bool, device=h0.device)
        return Solution(h0[:, None].expand(-1, length, -1), h0, nothing, 0, 0.0)
    real = None if lengths is None else real_steps(lengths, length)
    if real is not None:  # padding may hold anything; a cell may not be defined at 0
        x = tuple(torch.where(torch.isfinite(v), v, zero_padding(v, real)) for v in x)
    problem = _Problem(cell, x, h0, size, resets, lengths)
    with torch.no_grad():
        h, converged, iterations = _iterate(problem, options)
        residual = (problem.next(problem.before(h)) - h)[converged]
        rows = (~converged).nonzero()[:, 0]
        if len(rows):
            found = problem.sequential(rows)
            h = h.index_copy(0, rows, found)
            _warn(int(torch.isfinite(found).flatten(1).all(1).sum()), b, iterations)
        h = zero_padding(h, real)
        residual = zero_padding(residual, None if real is None else real[converged])
    if torch.is_grad_enabled():
        h = problem.with_gradient(h)
    worst = float(residual.abs().max()) if residual.numel() else 0.0
    return Solution(h, last_state(h, h0, lengths), converged, iterations, worst)


def _warn(failed: int, rows: int, iterations: int) -> None:
    """Say how many rows with a finite trajectory were not found."""
    if failed:
        warnings.warn(
            f"newton: {failed} of {rows} rows did not converge in {iterations} iterations and were "
            "computed step by step; try damping, a bound, or shorter sequences",
            RuntimeWarning,
            stacklevel=3,
        )


def _iterate(problem: _Problem, options: NewtonOptions) -> tuple[Tensor, Tensor, int]:
    """Newton's method: a trajectory, the rows of it that converged, and the number of steps.

    A row is frozen when it has converged, so that it is the same in any batch. Where a step
    overflows, the fixed-point iterate stands in: the exact part of a row grows by a step anyway.
    """
    tolerance = options.tolerance or TOLERANCE[problem.h0.dtype]
    bound = None if options.bound is None else problem.h0.abs().amax(1).clamp(min=options.bound)
    forgetful = torch.zeros_like(problem.h0)[:, None].expand(-1, problem.x[0].shape[1], -1)
    h = problem.next(forgetful)
    hopeless = ~torch.isfinite(h).flatten(1).all(1)
    converged, iterations, quasi = torch.zeros_like(hopeless), 0, options.quasi
    while iterations < options.max_iterations and not bool((converged | hopeless).all()):
        before = problem.before(h)
        value, J = problem.linearised(before)
        if iterations == 0:
            _check_blocks(problem, before, J)
        R, J = value - h, diagonal_of(J) if quasi else J
        if options.damping:
            J = J / (1 + options.damping * R.unflatten(2, J.shape[2:4])[..., None].abs())
        step = problem.deviation(J, R)
        moved = torch.where(torch.isfinite(step), h + step, value)
        if bound is not None:
            moved = moved.clamp(-bound[:, None, None], bound[:, None, None])
        h = torch.where(converged[:, None, None], h, moved)
        size = h.abs().flatten(1).amax(1).clamp(min=1)
        small = step.abs().flatten(1).amax(1) <= tolerance * size
        if not quasi:  # else the error may be many times the step
            converged = converged | small
        quasi = quasi and not bool((small | hopeless).all())
        iterations += 1
    return h, converged, iterations


def _check_blocks(problem: _Problem, before: Tensor, J: Tensor) -> None:
    """Compare the declared Jacobian with the cell's own along a random direction, at a few steps.

    Raises:
        ValueError: they differ.
    """
    if problem.block == before.shape[2]:
        return
    rows, steps = (torch.linspace(0, n - 1, min(n, PROBED)).long() for n in before.shape[:2])
    few = rows[:, None].to(before.device), steps.to(before.device)
    h = before[few].flatten(0, 1)
    x = tuple(v[few].flatten(0, 1) for v in problem.x)
    generator = torch.Generator(h.device).manual_seed(0)
    v = torch.randn(h.shape, generator=generator, dtype=h.dtype, device=h.device)
    pushed = jvp(lambda h: problem.cell(h, *x), (h,), (v,))[1]
    expected = apply(J[few].flatten(0, 1), v)
    size = torch.where(torch.isfinite(pushed), pushed.abs(), 0)
    if bool(((pushed - expected).abs() > 1e-3 * size.max().clamp(min=1e-6))[size > 0].any()):
        raise ValueError(
            f"block: the cell's Jacobian has entries beside diagonal blocks of {problem.block}; "
            "use block=None, and NewtonOptions(quasi=True) to iterate with the diagonal alone"
        )
