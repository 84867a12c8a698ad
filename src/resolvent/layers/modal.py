"""What the layers share at the start: initial modes for every head, initial step sizes, and
eigenvalues that cannot leave the left half-plane.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

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
        TypeError: an initialisation is neither a name, nor modes, nor a function.
        ValueError: d_state is not positive, a name is unknown, an initialisation has another size,
            or there are more of them than heads.
    """
    modes = [tile(_resolve_modes(x, d_state), blocks) for x in _choices(init, heads)]
    return _basis(modes, heads)


def low_rank_basis(
    init: Measure | tuple[Measure, ...], d_state: int, heads: int
) -> tuple[Basis, Tensor]:
    """Modes of the normal part of a HiPPO system, and the P (heads, k, r) of A = Lambda - P P*.

    Raises:
        TypeError, ValueError: as for :func:`modal_basis`.
    """
    systems = [resolve_measure(x, d_state) for x in _choices(init, heads)]
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
        TypeError: it is neither a name, nor a `Hippo`, nor a function.
        ValueError: the name is unknown, or the system has another size than d_state.
    """
    system = _resolve(init, d_state, Hippo, hippo.BY_NAME)
    return _of_size(system, len(system.B), d_state)


def check_d_state(d_state: object) -> None:
    """Refuse a number of states that is not a positive integer.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(d_state, int) or d_state < 1:
        raise ValueError(f"d_state: must be a positive integer, got {d_state!r}")


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


def _choices(init: object, heads: int) -> tuple:
    choices = init if isinstance(init, tuple) else (init,)
    if not 1 <= len(choices) <= heads:
        raise ValueError(
            f"init: got {len(choices)} initialisations, expected 1 to {heads}: this layer has "
            f"{heads} systems to start"
        )
    return choices


def _resolve_modes(init: Init, d_state: int) -> Modes:
    seeded = {"rand": lambda n: diagonal.rand(n, seeded_generator())}
    modes = _resolve(init, d_state, Modes, {**diagonal.BY_NAME, **seeded})
    return _of_size(modes, modes.size, d_state)


def _resolve(init: Any, d_state: int, kind: type, by_name: Mapping[str, Callable]) -> Any:
    """What a name, a value of ``kind``, or a function of d_state stands for."""
    check_d_state(d_state)
    if isinstance(init, kind):
        return init
    if isinstance(init, str) and init not in by_name:
        raise ValueError(f"init: {init!r} is unknown; choose one of {', '.join(by_name)}")
    make = by_name[init] if isinstance(init, str) else init
    if not callable(make):
        raise TypeError(
            f"init: expected a name, a {kind.__name__} or a function of d_state, got "
            f"{type(init).__name__}"
        )
    return make(d_state)


def _of_size(system: Any, size: int, d_state: int) -> Any:
    if size != d_state:
        raise ValueError(f"init: has {size} states, expected d_state = {d_state}")
    return system


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
