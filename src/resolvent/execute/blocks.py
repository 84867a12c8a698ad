"""Varying systems block by block: the coefficients of all steps never exist at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import torch
from torch import Tensor

from resolvent.structure import Structure
from resolvent.system import Discrete, Varying

STEPS = 512
"""Most steps of a block."""

BUDGET = 1 << 24
"""Most numbers in A over a block, if one step has fewer; gradients keep all blocks."""


def in_blocks(run: Callable) -> Callable:
    """Wrap an execution so that it takes varying systems block by block, the state carried."""

    def wrapped(
        system: Discrete, u: Tensor, h0: Tensor, resets: Tensor | None, lengths: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        if not isinstance(system, Varying):
            return run(system, u, h0, resets, lengths)
        ys, h, size = [], h0, _steps(system.form)
        for start in range(0, u.shape[1], size):
            stop = min(start + size, u.shape[1])
            cut = None if resets is None else resets[:, start:stop]
            left = None if lengths is None else (lengths - start).clamp(0, stop - start)
            y, h = run(system.steps(start, stop), u[:, start:stop], h, cut, left)
            ys.append(y)
        return torch.cat(ys, 1), h

    wrapped.__doc__ = run.__doc__
    return wrapped


def _steps(form: Structure) -> int:
    """Steps of a block, given A at one step of every row; a traced program fits any batch."""
    if torch.compiler.is_compiling():
        return STEPS
    stored = [getattr(form, x.name) for x in fields(form)]  # type: ignore[arg-type]
    numbers = sum(x.numel() for x in stored if isinstance(x, Tensor))
    return max(1, min(STEPS, BUDGET // max(numbers, 1)))
