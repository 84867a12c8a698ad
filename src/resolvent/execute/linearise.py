"""A cell along a trajectory as a linear recurrence: its Jacobians, and deviations run through them.

A Jacobian (..., n, n) is declared to consist of blocks of k states on its diagonal, and held as
(..., n / k, k, k): k = 1 is diagonal, k = n dense. One block is a head of a linear system.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.func import jvp, vmap

from resolvent.execute.run import run
from resolvent.execute.unroll import Cell
from resolvent.structure import Dense, Diagonal, Structure
from resolvent.system import Given, Varying


def jacobian(cell: Cell, h: Tensor, x: tuple[Tensor, ...], k: int) -> tuple[Tensor, Tensor]:
    """Next states (r, n) and the Jacobian's blocks (r, n / k, k, k), by k directions at once.

    A direction moves one state of every block, which is why blocks must not touch each other.
    """

    def push(direction: Tensor) -> tuple[Tensor, Tensor]:
        value, slope, *_ = jvp(lambda h: cell(h, *x), (h,), (direction.expand_as(h),))
        return value, slope

    basis = torch.eye(k, dtype=h.dtype, device=h.device).repeat(1, h.shape[-1] // k)
    if k == 1:
        value, columns = push(basis[0])
        return value, columns[..., None, None]
    value, columns = vmap(push, out_dims=(None, 0))(basis)  # type: ignore[arg-type]
    return value, columns.unflatten(-1, (-1, k)).movedim(0, -1)


def diagonal_of(blocks: Tensor) -> Tensor:
    """The diagonals of blocks (..., m, k, k) as blocks (..., m k, 1, 1)."""
    return blocks.diagonal(dim1=-2, dim2=-1).flatten(-2)[..., None, None]


def apply(blocks: Tensor, h: Tensor) -> Tensor:
    """Product of blocks (..., m, k, k) and h (..., m k)."""
    return (blocks @ h.unflatten(-1, blocks.shape[-3:-1])[..., None]).flatten(-3)


def structure(blocks: Tensor) -> Structure:
    """Blocks (..., m, k, k) as the matrices of m heads."""
    return Diagonal(blocks[..., 0]) if blocks.shape[-1] == 1 else Dense(blocks)


def propagate(
    blocks: Tensor,
    drive: Tensor,
    start: Tensor | None = None,
    resets: Tensor | None = None,
    lengths: Tensor | None = None,
) -> Tensor:
    """States of d_t = J_t d_{t-1} + drive_t, on the execution that is fastest for J's structure.

    Args:
        blocks: J (b, l, m, k, k).
        drive: (b, l, m k).
        start: d_0 (b, m k), zeros by default.
        resets: (b, l) bool.
        lengths: (b,) integers.

    Returns:
        d (b, l, m k).
    """
    m, k = blocks.shape[2:4]
    mimo = k > 1
    one = torch.eye(k, dtype=drive.dtype, device=drive.device) if mimo else drive.new_ones(1)
    system = Varying(
        Given((structure(blocks), one.expand(*blocks.shape[:3], *one.shape))),
        one.expand(m, *one.shape),
        drive.new_zeros(m, k if mimo else 0),
        mimo,
    )
    h0 = None if start is None else start.view(-1, m, k, 1)
    d, _ = run(system, drive.unflatten(-1, (m, k)), h0, resets=resets, lengths=lengths)
    return d.flatten(2)
