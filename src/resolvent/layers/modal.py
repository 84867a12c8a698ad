"""What diagonal layers share: initial modes for every head, and eigenvalues that cannot leave the
left half-plane."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from resolvent.initialize import by_name
from resolvent.initialize.modes import Modes

Init = str | Modes | Callable[[int], Modes]

SLOWEST = 1e-4
"""Smallest initial decay rate -Re A: a pure oscillation has no logarithm to learn (S4, section 3.4)."""


class Basis(NamedTuple):
    """Initial modes of every head.

    Attributes:
        log_decay: log(-Re eigenvalue), (m, k).
        frequency: Im eigenvalue, (m, k).
        V: eigenvectors (m, N, k); a real output map C becomes C V.
        W: inverse eigenvectors (m, k, N); a real input map B becomes W B.
        B: the initialisation's own input vector in modal coordinates (m, k).
    """

    log_decay: Tensor
    frequency: Tensor
    V: Tensor
    W: Tensor
    B: Tensor


def modal_basis(init: Init | tuple[Init, ...], d_state: int, heads: int) -> Basis:
    """Initial modes for ``heads`` heads of ``d_state`` real states.

    A tuple of initialisations is dealt out in equal runs of heads (S4-LegS/FouT mixes them so).

    Raises:
        ValueError: d_state is not positive, or a `Modes` has another size.
    """
    if not isinstance(d_state, int) or d_state < 1:
        raise ValueError(f"d_state: must be a positive integer, got {d_state!r}")
    choices = init if isinstance(init, tuple) and not isinstance(init, Modes) else (init,)
    modes = [_resolve(choice, d_state) for choice in choices]
    which = [i * len(modes) // heads for i in range(heads)]

    def stack(name: str) -> Tensor:
        return torch.from_numpy(np.stack([getattr(m, name) for m in modes]))[which]

    eigenvalues = stack("eigenvalues")
    return Basis(
        log_decay=(-eigenvalues.real).clamp(min=SLOWEST).log(),
        frequency=eigenvalues.imag.clone(),
        V=stack("V"),
        W=stack("W"),
        B=stack("B"),
    )


def stable_eigenvalues(log_decay: Tensor, frequency: Tensor) -> Tensor:
    """Eigenvalues -exp(log_decay) + i frequency, in the open left half-plane by construction."""
    return torch.complex(-log_decay.exp(), frequency)


def _resolve(init: Init, d_state: int) -> Modes:
    if isinstance(init, str):
        modes = by_name(init, d_state)
    elif isinstance(init, Modes):
        modes = init
    elif callable(init):
        modes = init(d_state)
    else:
        raise TypeError(f"init: expected a name, Modes or a function of d_state, got {init!r}")
    if modes.V.shape[0] != d_state:
        raise ValueError(f"init: has {modes.V.shape[0]} states, expected d_state = {d_state}")
    return modes
