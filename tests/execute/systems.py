"""Random stable systems of every structure, each with the matrices its oracle runs on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from oracle import real_diagonal, real_dplr, real_input, real_output
from resolvent.structure import DPLR, Dense, Diagonal, Householder, Scalar, Structure
from resolvent.system import Discrete, Invariant, Varying

STRUCTURES = ("scalar", "real", "complex", "dplr", "dense", "householder")


@dataclass(frozen=True)
class Shape:
    """Sizes of a case: batch, length, heads, states, channels."""

    b: int = 2
    length: int = 5
    m: int = 2
    n: int = 3
    p: int = 1


def structure(name: str, lead: tuple[int, ...], n: int, rng: torch.Generator) -> Structure:
    """A matrix whose powers stay bounded, up to 0.97 in modulus."""

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=rng).double()

    def normal(*shape: int, dtype=torch.float64) -> Tensor:
        return torch.randn(*shape, generator=rng, dtype=dtype)

    if name == "scalar":
        return Scalar(1.94 * uniform(*lead) - 0.97, n)
    if name == "real":
        return Diagonal(1.94 * uniform(*lead, n) - 0.97)
    turn = torch.polar(0.97 * uniform(*lead, n), 6.3 * uniform(*lead, n))
    if name == "complex":
        return Diagonal(turn)
    if name == "dplr":
        P, Q = (0.3 / n * normal(*lead, n, 1, dtype=torch.complex128) for _ in range(2))
        return DPLR(0.7 * turn, P, Q)
    if name == "householder":
        return householder(lead, n, 2, rng)
    full = normal(*lead, n, n)
    return Dense(0.95 * full / torch.linalg.matrix_norm(full, 2)[..., None, None])


def householder(
    lead: tuple[int, ...], n: int, r: int, rng: torch.Generator, gates: int = 1
) -> Householder:
    """Factors between a projection and a reflection, or between nothing and a projection."""
    keys = torch.randn(*lead, r, n, generator=rng).double()
    gate, beta = (torch.rand(*lead, x, generator=rng).double() for x in (gates, r))
    return Householder(0.97 * gate, keys / keys.norm(dim=-1, keepdim=True), 2 * beta)


def system(name: str, kind: str, mimo: bool, shape: Shape, seed: int) -> Discrete:
    """A system born discrete; kind is "invariant", "varying" or "varying A, B" (C is shared)."""
    rng = torch.Generator().manual_seed(seed)
    lead = (shape.m,) if kind == "invariant" else (shape.b, shape.length, shape.m)
    A = structure(name, lead, shape.n, rng)
    outer = lead if kind == "varying" else (shape.m,)
    B = (*lead, shape.n, shape.p) if mimo else (*lead, shape.n)
    C = (*outer, shape.p, shape.n) if mimo else (*outer, shape.n)
    B, C = (torch.randn(x, generator=rng, dtype=A.dtype) for x in (B, C))
    D = torch.randn(shape.m, shape.p, generator=rng).double()
    if kind == "invariant":
        return Invariant.of(A, B, C, D, mimo)
    if kind == "varying":
        return Varying.of(A, B, C, D, mimo)
    return Varying(Varying.of(A, B, C, D, mimo).transition, C, D, mimo)


def matrices(system: Discrete) -> tuple[np.ndarray, ...]:
    """A, B, C, D as the oracle wants them, built from the stored tensors alone."""
    A, B, C = system.A, _numpy(system.B), _numpy(system.C)
    if not system.mimo:
        B, C = B[..., :, None], C[..., None, :]
    if A.dtype.is_complex:
        B, C = each(real_input, B), each(real_output, C)
    return dense_matrix(A), B, C, _numpy(system.D)


def state(h: Tensor) -> np.ndarray:
    """A state (b, m, n, c) in the oracle's coordinates."""
    h = _numpy(h)
    return np.concatenate([h.real, h.imag], 2) if np.iscomplexobj(h) else h


def dense_matrix(A: Structure) -> np.ndarray:
    if isinstance(A, Scalar):
        return _numpy(A.value)[..., None, None] * np.eye(A.size)
    if isinstance(A, Dense):
        return _numpy(A.values)
    if isinstance(A, Householder):
        return _reflections(*(_numpy(x) for x in (A.gate, A.keys, A.beta)))
    if isinstance(A, DPLR):
        return each(_dplr, _numpy(torch.cat([A.values[..., None], A.P, A.Q], -1)))
    if A.dtype.is_complex:
        return each(lambda x: real_diagonal(x[:, 0]), _numpy(A.values)[..., None])
    return _numpy(A.values)[..., None] * np.eye(A.n)


def _reflections(gate: np.ndarray, keys: np.ndarray, beta: np.ndarray) -> np.ndarray:
    eye = np.eye(keys.shape[-1])
    M = gate[..., None] * eye
    for j in range(beta.shape[-1]):
        k = keys[..., j, :, None]
        M = (eye - beta[..., j, None, None] * k * np.swapaxes(k, -1, -2)) @ M
    return M


def _dplr(columns: np.ndarray) -> np.ndarray:
    """One matrix from its columns [diagonal, P, Q]."""
    diagonal, rest = columns[:, 0], columns[:, 1:]
    return real_dplr(diagonal, *np.split(rest, 2, axis=1))


def each(f, stack: np.ndarray) -> np.ndarray:
    lead = stack.shape[:-2]
    flat = [f(stack[i]) for i in np.ndindex(lead)]
    return np.array(flat).reshape(*lead, *flat[0].shape)


def _numpy(x: Tensor) -> np.ndarray:
    return x.detach().numpy()
