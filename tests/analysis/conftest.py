"""Random stable systems in every structure, each with the dense matrices it stands for."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
import torch

import oracle
from resolvent.structure import DPLR, Dense, Diagonal, Scalar
from resolvent.system import Continuous

M, N, P = 2, 4, 3
STRUCTURES = ("scalar", "real diagonal", "diagonal", "dplr", "dense", "one dense for all heads")


class Case(NamedTuple):
    """A continuous system and its matrices: A (m, N, N), B (m, N, p), C (m, q, N), D (m, q, p)."""

    system: Continuous
    A: np.ndarray
    B: np.ndarray
    C: np.ndarray
    D: np.ndarray


@pytest.fixture(params=[(s, mimo) for s in STRUCTURES for mimo in (False, True)], ids=str)
def case(request) -> Case:
    """Every structure, with vectors and with dense B and C."""
    structure, mimo = request.param
    rng = np.random.default_rng(1)
    halves = structure in ("diagonal", "dplr")
    p, n = (P if mimo else 1), (N // 2 if halves else N)

    def normal(*shape):
        return rng.normal(size=shape) + (1j * rng.normal(size=shape) if halves else 0)

    B, C = normal(M, n, p), normal(M, p, n)
    A, dense = _matrix(structure, rng, n)
    D = rng.normal(size=(M, p))
    system = Continuous(A, *map(torch.from_numpy, (B, C, D)), mimo=True)
    if not mimo:
        system = Continuous(A, system.B[..., 0], system.C[:, 0], system.D)
    if halves:
        B = np.stack([oracle.real_input(x) for x in B])
        C = np.stack([oracle.real_output(x) for x in C])
    return Case(system, np.broadcast_to(dense, (M, N, N)), B, C, D[:, None] * np.eye(p))


def _matrix(structure, rng, n):
    decay = -rng.uniform(0.2, 1.0, size=(M, n))
    if structure == "scalar":
        return Scalar(torch.from_numpy(decay[:, 0]), n), decay[:, :1, None] * np.eye(n)
    if structure == "real diagonal":
        return Diagonal(torch.from_numpy(decay)), decay[..., None] * np.eye(n)
    if "dense" in structure:
        heads = M if structure == "dense" else 1
        skew, root = rng.normal(size=(2, heads, n, n))
        A = skew - skew.swapaxes(1, 2) - root @ root.swapaxes(1, 2) / 4
        return Dense(torch.from_numpy(A)), A
    values = decay + 1j * rng.uniform(0, 5, size=(M, n))
    if structure == "diagonal":
        return Diagonal(torch.from_numpy(values)), np.stack(list(map(oracle.real_diagonal, values)))
    low = rng.normal(size=(M, n, 1)) + 1j * rng.normal(size=(M, n, 1))
    A = DPLR(*map(torch.from_numpy, (values, low, low)))
    return A, np.stack([oracle.real_dplr(*x) for x in zip(values, low, low, strict=True)])
