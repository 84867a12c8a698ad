"""What the layers share at the start: initial modes for every head, initial step sizes, and
eigenvalues that cannot leave the left half-plane.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from resolvent.initialize import diagonal, hippo, timescale
from resolvent.initialize.hippo import Hippo
from resolvent.initialize.modes import Modes, from_normal, tile

Init = str | Modes | Callable[[int], Modes]
"""A diagonal initialisation: a name of `initialize.diagonal`, modes, or a function of d_state."""

Measure = str | Hippo | Callable[[int], Hippo]
"""A HiPPO system: "legs", "legt", "lagt", "fout", the system itself, or a function of d_state."""

SLOWEST = 1e-4
"""Smallest initial decay rate -Re A: a pure oscillation has no logarithm to learn."""


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


def modal_basis(init: Init | tuple[Init, ...], d_state: int, heads: int, blocks: int = 1) -> Basis:
    """Initial modes for ``heads`` heads of ``blocks`` blocks of ``d_state`` real states.

    A tuple of initialisations is dealt out in equal runs of heads.

    Raises:
        ValueError: d_state is not positive, or an initialisation has another size.
    """
    modes = [tile(_resolve_modes(x, d_state), blocks) for x in _choices(init, d_state)]
    return _basis(modes, heads)


def low_rank_basis(
    init: Measure | tuple[Measure, ...], d_state: int, heads: int
) -> tuple[Basis, Tensor]:
    """Modes of the normal part of a HiPPO system, and the P (heads, k, r) of A = Lambda - P P*.

    Raises:
        ValueError: as for :func:`modal_basis`.
    """
    systems = [resolve_measure(x, d_state) for x in _choices(init, d_state)]
    modes = [_balanced(from_normal(x.normal, x.B)) for x in systems]
    rank = max(x.P.shape[1] for x in systems)
    Ps = [
        m.W @ np.pad(x.P, ((0, 0), (0, rank - x.P.shape[1])))
        for m, x in zip(modes, systems, strict=True)
    ]
    return _basis(modes, heads), torch.from_numpy(np.stack(Ps))[_deal(len(Ps), heads)]


def resolve_measure(init: Measure, d_state: int) -> Hippo:
    """The HiPPO system that ``init`` means.

    Raises:
        ValueError: the name is unknown, or the system has another size than d_state.
    """
    if isinstance(init, str):
        init = hippo.by_name(init, d_state)
    system = init if isinstance(init, Hippo) else init(d_state)
    if len(system.B) != d_state:
        raise ValueError(f"init: has {len(system.B)} states, expected d_state = {d_state}")
    return system


def stable_eigenvalues(log_decay: Tensor, frequency: Tensor) -> Tensor:
    """Eigenvalues -exp(log_decay) + i frequency, in the open left half-plane by construction."""
    return torch.complex(-log_decay.exp(), frequency)


def initial_log_dt(shape: tuple[int, ...], dt_min: float, dt_max: float) -> Tensor:
    """Logarithms of step sizes, log-uniform between dt_min and dt_max."""
    dt = timescale.log_uniform(shape, dt_min, dt_max, seeded_generator())
    return torch.from_numpy(dt).log()


def seeded_generator() -> np.random.Generator:
    """A NumPy generator that follows torch's seed, so one seed rules a layer's initialisation."""
    return np.random.default_rng(int(torch.randint(2**63 - 1, ())))


def _choices(init: object, d_state: int) -> tuple:
    if not isinstance(d_state, int) or d_state < 1:
        raise ValueError(f"d_state: must be a positive integer, got {d_state!r}")
    return init if isinstance(init, tuple) else (init,)


def _resolve_modes(init: Init, d_state: int) -> Modes:
    if init == "rand":
        modes = diagonal.rand(d_state, seeded_generator())
    elif isinstance(init, str):
        modes = diagonal.by_name(init, d_state)
    else:
        modes = init if isinstance(init, Modes) else init(d_state)
    if modes.size != d_state:
        raise ValueError(f"init: has {modes.size} states, expected d_state = {d_state}")
    return modes


def _basis(modes: list[Modes], heads: int) -> Basis:
    counts = {m.count for m in modes}
    if len(counts) > 1:
        raise ValueError(
            f"init: cannot mix initialisations of {sorted(counts)} modes; use one d_state"
        )
    rows = _deal(len(modes), heads)
    eigenvalues, V, W, B = (
        torch.from_numpy(np.stack([getattr(m, name) for m in modes]))[rows]
        for name in ("eigenvalues", "V", "W", "B")
    )
    log_decay = (-eigenvalues.real).clamp(min=SLOWEST).log()
    return Basis(log_decay, eigenvalues.imag.clone(), V, W, B)


def _deal(choices: int, heads: int) -> list[int]:
    return [i * choices // heads for i in range(heads)]


def _balanced(modes: Modes) -> Modes:
    """The same modes with W = V*; the weight 1/2 of a real one is split between the two."""
    s = np.sqrt(np.linalg.norm(modes.W, axis=1) / np.linalg.norm(modes.V, axis=0))
    return Modes(modes.eigenvalues, modes.V * s, modes.W / s[:, None], modes.B / s)
