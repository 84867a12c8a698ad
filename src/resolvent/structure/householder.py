"""Products of generalized Householder matrices: what a step forgets along its keys (DeltaProduct).

A = H_r ... H_1 diag(gate) with H_j = I - beta_j k_j k_j^T. With |k_j| = 1 the eigenvalue of H_j
along k_j is 1 - beta_j: a projection at beta = 1, a reflection at beta = 2, of norm at most 1 from
0 to 2 (Grazzi et al. 2025; Siems et al. 2025, DeltaProduct). The gate comes first: one number a
matrix (Gated DeltaNet), or one a state (Kimi Delta Attention).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from resolvent.structure.base import Structure, exponential, phi1, resolvent
from resolvent.structure.dense import Dense


@final
@dataclass(frozen=True, eq=False)
class Householder(Structure):
    """Gate (..., 1) or (..., n), keys (..., r, n) and beta (..., r), in the order they act."""

    gate: Tensor
    keys: Tensor
    beta: Tensor

    closed: ClassVar[bool] = False
    why_not_closed: ClassVar[str] = (
        "the rank of a product of Householder matrices grows with every factor; they run by "
        "'recur' or 'chunk'"
    )

    @property
    def n(self) -> int:
        """Number of states."""
        return self.keys.shape[-1]

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of the keys."""
        return self.keys.dtype

    def apply(self, h: Tensor) -> Tensor:
        """Product with h (..., n, p): 2 r n p multiplications."""
        h = self.gate[..., None] * h
        for j in range(self.beta.shape[-1]):
            h = self._reflect(j, h)
        return h

    def writes(self) -> Tensor:
        """What the delta rule writes, (..., n, r): column j is beta_j k_j after the later factors.

        Writing one row v_j after the other, h <- H_j h + beta_j k_j v_j^T, is A h + writes() v.
        """
        written = []
        for j in range(self.beta.shape[-1]):
            own = self.beta[..., j, None, None] * self.keys[..., j, :, None]
            written = [*(self._reflect(j, x) for x in written), own]
        return torch.cat(torch.broadcast_tensors(*written), -1)

    def adjoint(self) -> Structure:
        """The factors in reverse; dense where a gate for every state does not commute with them."""
        if self.gate.shape[-1] == 1:
            return Householder(self.gate, self.keys.flip(-2), self.beta.flip(-1))
        return Dense(self.dense().mT)

    def affine(self, scale: Tensor, shift: float) -> Structure:
        """The matrix ``scale * A + shift * I``; scale (..., 1); dense unless shift is 0."""
        if shift:
            return Dense(self.dense()).affine(scale, shift)
        lead = torch.broadcast_shapes(scale.shape[:-1], self.beta.shape[:-1])
        keys, beta = (
            x.expand(*lead, *x.shape[x.ndim - k :]) for x, k in ((self.keys, 2), (self.beta, 1))
        )
        return Householder(scale * self.gate, keys, beta)

    def dense(self) -> Tensor:
        """Real (..., n, n)."""
        return self.apply(torch.eye(self.n, dtype=self.dtype, device=self.keys.device))

    def _reflect(self, j: int, h: Tensor) -> Tensor:
        k = self.keys[..., j, :, None]
        return h - self.beta[..., j, None, None] * k * (k.mT @ h)


def reflections(Q: Tensor, tolerance: float = 1e-9) -> Householder:
    """An orthogonal matrix as a product of reflections, as few as there are (Cartan & Dieudonne).

    They are n less the dimension of what Q leaves alone: one for a swap, two for a rotation about
    an axis, at most n. Each takes a basis vector to where Q takes it, and leaves alone what Q does.

    Args:
        Q: orthogonal (n, n).
        tolerance: distance at which a vector counts as left alone.

    Raises:
        ValueError: Q is not an orthogonal matrix.
    """
    n, eye = Q.shape[-1], torch.eye(Q.shape[-1], dtype=Q.dtype, device=Q.device)
    if Q.shape != (n, n) or not torch.allclose(Q @ Q.mT, eye, rtol=0, atol=tolerance):
        raise ValueError(f"Q: expected an orthogonal matrix (n, n), got {tuple(Q.shape)}")
    keys, left = [], Q
    while len(keys) < n:
        moved = (left - eye).norm(dim=0)
        if moved.max() <= tolerance:
            break
        k = (left - eye)[:, moved.argmax()] / moved.max()
        keys.append(k)
        left = left - 2 * torch.outer(k, k @ left)
    # Q = H_1 ... H_r, and the last of them acts first
    found = torch.stack(keys[::-1]) if keys else Q.new_zeros(0, n)
    return Householder(Q.new_ones(1), found, Q.new_full((len(keys),), 2.0))


@exponential.register
def _(A: Householder) -> Dense:
    return exponential(Dense(A.dense()))


@phi1.register
def _(A: Householder) -> Dense:
    return phi1(Dense(A.dense()))


@resolvent.register
def _(A: Householder, s: float) -> Dense:
    return resolvent(Dense(A.dense()), s)
