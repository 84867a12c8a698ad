"""Modes: a real system in eigen-coordinates, one of each conjugate pair kept.

A real system h' = A h + B u whose A has the eigenvalues l_j, conj(l_j) is stored by one half:

    2 Re(V W) = I        A = 2 Re(V diag(l) W)        modal input W B        modal output C V

and then y = 2 Re(C V h) is the output of the real system. A real eigenvalue has no partner to be
counted twice with, so its row of W, and with it its entry of the modal input, carries weight 1/2.
A real eigenvalue that occurs twice with independent real eigenvectors x, y is a pair like any
other, with the complex vector (x - i y) / sqrt(2): this is how an even number of purely real
states is stored. So n states take (n+1)//2 modes, unless A has several *different* real
eigenvalues, each of which needs a mode for itself (`from_matrix` on such an A only; among the
initialisations, `ptd` with few states or a very small theta).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import block_diag

from resolvent.initialize._arguments import Complex, Real, check_size


@dataclass(frozen=True, eq=False)
class Modes:
    """One half of the conjugate eigen-pairs of a real system with n states.

    Attributes:
        eigenvalues: (k,) complex, imaginary parts >= 0.
        V: (n, k) complex eigenvectors, of unit length. C @ V is the modal output.
        W: (k, n) complex, the matching rows of the inverse; W @ B is the modal input.
        B: (k,) complex modal input vector, W @ B_real.

    Raises:
        ValueError: if the shapes do not fit together.
    """

    eigenvalues: Complex
    V: Complex
    W: Complex
    B: Complex

    def __post_init__(self) -> None:
        k, n = self.W.shape
        for name, value, shape in (
            ("eigenvalues", self.eigenvalues, (k,)),
            ("V", self.V, (n, k)),
            ("B", self.B, (k,)),
        ):
            if value.shape != shape:
                raise ValueError(
                    f"{name} must have shape {shape} to fit W of shape {(k, n)}, "
                    f"got {value.shape}; pass one entry a mode"
                )

    @property
    def count(self) -> int:
        """Number of modes k."""
        return self.W.shape[0]

    @property
    def size(self) -> int:
        """Number of real states n."""
        return self.W.shape[1]

    @property
    def real(self) -> NDArray[np.bool_]:
        """(k,) which modes are single real ones, with weight 1/2."""
        return np.all(self.V.imag == 0, axis=0)

    def matrix(self) -> Real:
        """(n, n) the real state matrix, 2 Re(V diag(eigenvalues) W)."""
        return 2 * (self.V * self.eigenvalues @ self.W).real

    def input(self) -> Real:
        """(n,) the real input vector, 2 Re(V B)."""
        return 2 * (self.V @ self.B).real

    def transfer(self, s: ArrayLike) -> Complex:
        """(f, n) the transfer function to the real state, (s - A)^{-1} B, at points (f,)."""
        return state_transfer(self.eigenvalues, self.V, self.B, np.asarray(s, np.complex128))


def state_transfer(eigenvalues: Any, V: Any, B: Any, s: Any) -> Any:
    """The sum over modes of V B / (s - eigenvalue) and its conjugate; NumPy arrays or tensors.

    Args:
        eigenvalues: (k,).
        V: (n, k).
        B: (k,).
        s: (f,) complex.

    Returns:
        (f, n).
    """
    gain, mirror = B / (s[:, None] - eigenvalues), B.conj() / (s[:, None] - eigenvalues.conj())
    return gain @ V.T + mirror @ V.conj().T


def conjugate_halves(eigenvalues: ArrayLike, eigenvectors: ArrayLike, B: ArrayLike) -> Modes:
    """Keep one half of a full eigen-decomposition of a real matrix.

    The half kept has positive imaginary parts, in ascending order, after the real eigenvalues.
    Each eigenvector is scaled to unit length and turned so that its modal input is real and not
    negative: the result does not depend on the phases that an eigen-solver happens to choose.

    Args:
        eigenvalues: (n,) closed under conjugation; an exactly real one has an exactly real vector.
        eigenvectors: (n, n), column j belongs to eigenvalue j.
        B: (n,) real input vector.

    Raises:
        ValueError: if the shapes do not fit or the eigenvalues are not closed under conjugation.
    """
    values, vectors = (
        np.asarray(eigenvalues, np.complex128),
        np.asarray(eigenvectors, np.complex128),
    )
    upper, real, lower = values.imag > 0, values.imag == 0, values.imag < 0
    if upper.sum() != lower.sum():
        raise ValueError(
            f"eigenvalues must come in conjugate pairs, got {upper.sum()} above and {lower.sum()} "
            "below the real axis; pass the whole spectrum of a real matrix"
        )
    first = np.argsort(values[real].real, kind="stable")
    then = np.argsort(values[upper].imag, kind="stable")
    return complete(
        np.concatenate([values[real][first], values[upper][then]]),
        np.concatenate([vectors[:, real][:, first], vectors[:, upper][:, then]], axis=1),
        B,
    )


def from_matrix(A: ArrayLike, B: ArrayLike) -> Modes:
    """Diagonalise a real matrix (n, n) with input vector (n,) numerically.

    Only for matrices whose eigenvectors are well conditioned; HiPPO matrices are not
    (condition 1e10 at n = 16): use `from_normal` on their normal part, or `ptd`.
    """
    eigenvalues, eigenvectors = np.linalg.eig(np.asarray(A, np.float64))
    return conjugate_halves(eigenvalues, eigenvectors, B)


def from_normal(S: ArrayLike, B: ArrayLike) -> Modes:
    """Diagonalise S = c I + (skew-symmetric), to full precision: V has orthonormal columns.

    Eigenvalue c, if it occurs several times, is stored in pairs (see the top of this file), so
    that there are always (n+1)//2 modes.

    Args:
        S: (n, n) real, S + Sᵀ = 2 c I.
        B: (n,) real input vector.

    Raises:
        ValueError: if S is not of that form.
    """
    S = np.asarray(S, np.float64)
    n, decay = len(S), S[0, 0]
    K = (S - S.T) / 2
    excess = np.abs(S - K - decay * np.eye(n)).max()
    if excess > 1e-9 * np.abs(S).max():
        raise ValueError(
            f"S must be c I + (skew-symmetric), got a symmetric part that differs from {decay:g} I "
            f"by {excess:.1e}; for a HiPPO system pass its `normal` part"
        )
    frequencies, U = np.linalg.eigh(-1j * K)
    turning = frequencies > n * np.finfo(float).eps * np.abs(frequencies).max(initial=0.0)
    frequencies, U = frequencies[turning], U[:, turning]
    planes = np.concatenate([np.real(U), np.imag(U)], axis=1)
    still = np.linalg.qr(planes, mode="complete")[0][:, planes.shape[1] :]
    odd = still.shape[1] % 2
    x, y = still[:, odd::2], still[:, odd + 1 :: 2]
    V = np.concatenate([still[:, :odd], (x - 1j * y) / np.sqrt(2), U], axis=1)
    eigenvalues = decay + 1j * np.concatenate([np.zeros(odd + x.shape[1]), frequencies])
    return complete(eigenvalues, V, B)


def canonical(eigenvalues: ArrayLike, n: int) -> Modes:
    """Modes for an initialisation that names eigenvalues only.

    Mode j turns its own two coordinates, V = (1, -i) / sqrt(2) there, with modal input 1; for odd
    n one mode with a real eigenvalue has one coordinate, V = 1, and modal input 1/2.

    Args:
        eigenvalues: ((n+1)//2,) with imaginary parts >= 0. For odd n the first real one is the
            mode that has one coordinate.
        n: number of real states.

    Raises:
        ValueError: if the count is not (n+1)//2, or n is odd and no eigenvalue is real.
    """
    values, n = np.asarray(eigenvalues, np.complex128), check_size(n)
    k = (n + 1) // 2
    if values.shape != (k,) or (n % 2 and np.all(values.imag != 0)):
        raise ValueError(
            f"eigenvalues must have shape ({k},) for n = {n}{', one of them real' * (n % 2)}; "
            f"got shape {values.shape}: {values}"
        )
    pair, single = np.array([[1.0], [-1j]]) / np.sqrt(2), np.ones((1, 1))
    alone = int(np.argmax(values.imag == 0)) if n % 2 else None
    blocks = (single if j == alone else pair for j in range(k))
    V = np.asarray(block_diag(*blocks), np.complex128)
    W, B = V.conj().T.copy(), np.ones(k, np.complex128)
    if alone is not None:
        W[alone] /= 2
        B[alone] /= 2
    return Modes(values, V, W, B)


def from_blocks(blocks: Sequence[Modes]) -> Modes:
    """The block-diagonal system made of several, in order (S5 repeats one: see `tile`).

    Raises:
        ValueError: if there is no block.
    """
    if not blocks:
        raise ValueError("blocks must hold at least one Modes, got none; pass a list of Modes")
    return Modes(
        np.concatenate([block.eigenvalues for block in blocks]),
        np.asarray(block_diag(*(block.V for block in blocks))),
        np.asarray(block_diag(*(block.W for block in blocks))),
        np.concatenate([block.B for block in blocks]),
    )


def tile(modes: Modes, blocks: int) -> Modes:
    """`blocks` copies of a system side by side: n * blocks states (S5, section 4)."""
    return from_blocks([modes] * check_size(blocks, "blocks"))


def complete(eigenvalues: Complex, V: Complex, B: ArrayLike) -> Modes:
    """Complete one half of the eigenvectors of a real matrix to `Modes`: invert and normalise.

    Args:
        eigenvalues: (k,) the half to keep, imaginary parts >= 0.
        V: (n, k) their eigenvectors; together with the conjugates of the complex ones they span
            the space.
        B: (n,) real input vector.

    Raises:
        ValueError: if B does not fit or the vectors and their conjugates are not n in number.
    """
    V = V / np.linalg.norm(V, axis=0)
    n, single = V.shape[0], np.all(V.imag == 0, axis=0)
    b = np.asarray(B, np.float64)
    columns = np.concatenate([V.real, V[:, ~single].imag], axis=1)
    if b.shape != (n,) or columns.shape[1] != n:
        raise ValueError(
            f"V of shape {V.shape} with {single.sum()} real columns needs B of shape ({n},) and "
            f"spans {columns.shape[1]} real dimensions; got B of shape {b.shape}"
        )
    # V x + c.c. = 2 Re V Re x - 2 Im V Im x: one real inverse gives both parts of W, and gives a
    # real column the weight 1/2 by itself.
    inverse = np.linalg.inv(columns)
    W = inverse[: V.shape[1]] / 2 + 0j
    W[~single] -= 0.5j * inverse[V.shape[1] :]
    modal = W @ b
    size = np.abs(modal)
    heard = size > max(1e-14 * size.max(), np.finfo(float).tiny)
    phase = np.where(heard, modal / np.where(heard, size, 1), 1)
    return Modes(eigenvalues.astype(np.complex128), V * phase, W / phase[:, None], modal / phase)
