"""The oracle: state-space systems in NumPy float64, one step at a time, over dense real matrices.

Nothing here comes from the package under test, and nothing here is fast. Shapes, for heads m:

    A (m, N, N)   B (m, N, p)   C (m, q, N)   D (m, q)
    u (b, l, m, p)   h (b, m, N, c)   y (b, l, m, q)

Any of A, B, C may lead with axes (b, l): then it belongs to one row and one step. With ``mimo`` the
state has one column, c = 1. Without, B and C are single columns and rows, every input channel has
its own column of the state, c = p, and q = p. A step may then have r input rows, u (b, l, m, r, p)
and B (m, N, r), and D is not used.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import expm

RULES = ("zoh", "bilinear", "euler", "backward_euler", "dirac", "mixed", "signed")


def simulate(A, B, C, D, u, h0=None, *, resets=None, lengths=None, mimo=False):
    """Run the recurrence; returns y, the state after each row's last real step, and all states."""
    (b, length, m), p = u.shape[:3], u.shape[-1]
    A, B, C = (np.broadcast_to(x, (b, length, *x.shape[-3:])) for x in (A, B, C))
    N, q = A.shape[-1], C.shape[-2] if mimo else p
    columns = 1 if mimo else p
    h = np.zeros((b, m, N, columns)) if h0 is None else np.array(h0, dtype=np.float64)
    y, states = np.zeros((b, length, m, q)), np.zeros((b, length, m, N, columns))
    for row in range(b):
        steps = length if lengths is None else int(lengths[row])
        for t in range(steps):
            if resets is not None and resets[row, t]:
                h[row] = 0.0
            for head in range(m):
                a, x, c = A[row, t, head], B[row, t, head], C[row, t, head]
                now = u[row, t, head]
                drive = (x @ now)[:, None] if mimo else x @ np.atleast_2d(now)
                h[row, head] = a @ h[row, head] + drive
                out = c @ h[row, head]
                y[row, t, head] = out[:, 0] if mimo else out[0]
                if now.ndim == 1:
                    y[row, t, head] += D[head] * now
            states[row, t] = h[row]
    return y, h, states


def impulse_response(A, B, C, length):
    """Kernel C A^k B, k < length, of one head: (N, N), (N, p), (q, N) -> (q, p, length)."""
    out, X = np.zeros((C.shape[0], B.shape[1], length)), B
    for k in range(length):
        out[..., k] = C @ X
        X = A @ X
    return out


def discretise(rule, A, B, dt):
    """One head's discrete pair: A (N, N), B (N, p), dt a number or one step size a state (N,)."""
    n = len(A)
    step = np.diag(np.broadcast_to(np.asarray(dt, dtype=np.float64), (n,)))
    X, Y, eye = step @ A, step @ B, np.eye(n)
    if rule == "zoh":
        block = np.zeros((n + B.shape[1],) * 2)
        block[:n, :n], block[:n, n:] = X, Y
        E = expm(block)
        return E[:n, :n], E[:n, n:]
    if rule == "bilinear":
        left = eye - X / 2
        return np.linalg.solve(left, eye + X / 2), np.linalg.solve(left, Y)
    if rule == "euler":
        return eye + X, Y
    if rule == "backward_euler":
        return np.linalg.solve(eye - X, eye), np.linalg.solve(eye - X, Y)
    if rule == "dirac":
        return expm(X), B
    if rule == "mixed":
        return expm(X), Y
    if rule == "signed":
        return 2 * expm(X) - eye, Y
    raise ValueError(rule)


def phi1(A):
    """phi1(A) = sum_k A^k / (k + 1)!, as the corner of one exponential."""
    n = len(A)
    block = np.zeros((2 * n, 2 * n))
    block[:n, :n], block[:n, n:] = A, np.eye(n)
    return expm(block)[:n, n:]


# A complex system stored in halves stands for the full one with every conjugate; in the coordinates
# [Re h, Im h] of one half it is real.


def real_matrix(full):
    """A conjugate-symmetric matrix (2n, 2n) over [h, conj h] in the coordinates [Re h, Im h]."""
    n = len(full) // 2
    eye = np.eye(n)
    T = np.block([[eye, 1j * eye], [eye, -1j * eye]])
    real = np.linalg.solve(T, full @ T)
    assert np.abs(real.imag).max(initial=0.0) <= 1e-9 * (1 + np.abs(real).max(initial=0.0))
    return real.real


def real_diagonal(half):
    """The real matrix of a diagonal stored in halves (n,)."""
    return real_matrix(np.diag(np.concatenate([half, half.conj()])))


def real_dplr(half, P, Q):
    """The real matrix of diag(half) - P Q* stored in halves: (n,), (n, r), (n, r)."""
    P, Q = (np.concatenate([x, x.conj()]) for x in (P, Q))
    return real_matrix(np.diag(np.concatenate([half, half.conj()])) - P @ Q.conj().T)


def real_input(B):
    """Real columns [Re B, Im B] of an input map stored in halves (n, p)."""
    return np.concatenate([B.real, B.imag])


def real_output(C):
    """Real rows of the output C h + conj(C) conj(h) of halves, C (q, n)."""
    n = C.shape[1]
    eye = np.eye(n)
    T = np.block([[eye, 1j * eye], [eye, -1j * eye]])
    return (np.concatenate([C, C.conj()], 1) @ T).real
