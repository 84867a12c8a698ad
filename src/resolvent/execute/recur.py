"""The loop fused into one kernel: states in registers or cache, recomputed backward."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import silu

from resolvent.discretize import mixed
from resolvent.execute.blocks import in_blocks
from resolvent.execute.hold import before_hold
from resolvent.execute.matrix import matrix, why_not_matrix
from resolvent.kernels import (
    Selective,
    diagonal_mimo,
    diagonal_scan,
    diagonal_ssm,
    selective_scan,
)
from resolvent.structure import Diagonal, functional_to_real, to_real
from resolvent.system import Discrete, Invariant, Sampled, Varying


def recur(
    system: Discrete,
    u: Tensor,
    h0: Tensor | None,
    resets: Tensor | None,
    lengths: Tensor | None,
    gate: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Fused recurrence; arguments as in :func:`resolvent.execute.run`."""
    if is_bank(system, u):
        y, h = _bank(system, u, h0, resets, lengths)
        return gated(y, gate), h
    h0 = system.initial_state(u) if h0 is None else h0
    if u.shape[-1] == 1 and is_selective(system):
        # squeezed, not indexed: the gradient of an index fills a whole series with zeros
        z = None if gate is None else gate.squeeze(-1)
        x, start = u.squeeze(-1), h0.squeeze(-1)
        y, h = selective_scan(_select(system), x, start, resets, lengths, gate=z)
        return y[..., None], h[..., None]
    y, h = _recur(system, u, h0, resets, lengths)
    return gated(y, gate), h


def gated(y: Tensor, gate: Tensor | None) -> Tensor:
    """Y silu(gate), or y alone."""
    return y if gate is None else y * silu(gate.to(y.dtype))


def _recur(
    system: Discrete, u: Tensor, h0: Tensor, resets: Tensor | None, lengths: Tensor | None
) -> tuple[Tensor, Tensor]:
    if is_matrix(system, u):
        return matrix(system, u, h0, resets, lengths)
    if is_dense_pair(system):
        return _dense(system, u, h0, resets, lengths)
    return _states(system, u, h0, resets, lengths)


def is_bank(system: Discrete, u: Tensor) -> bool:
    """Whether each head has one input and one output and does the same at every step."""
    single = u.ndim == 3 or u.shape[-1] == 1
    return isinstance(system, Invariant) and not system.mimo and single


def _bank(
    system: Discrete,
    u: Tensor,
    h0: Tensor | None,
    resets: Tensor | None,
    lengths: Tensor | None,
) -> tuple[Tensor, Tensor]:
    A, B, dt = before_hold(system) or (system.A, system.B, None)
    a: Tensor = A.values  # type: ignore[attr-defined]
    a = a if a.shape == B.shape else a.expand_as(B)  # a view would cost more than the question
    dt = dt if dt is None or len(dt) == len(a) else dt.expand(len(a), -1)
    d = system.D if system.D.shape[1] else None
    start = None if h0 is None else h0.squeeze(-1)
    x = u if u.ndim == 3 else u.squeeze(-1)
    y, h = diagonal_ssm(a, B, system.C, x, start, resets, lengths, d=d, dt=dt)
    return y if u.ndim == 3 else y[..., None], h[..., None]


def is_matrix(system: Discrete, u: Tensor) -> bool:
    """Whether to run as a matrix state, one column a channel: not a single column that decays."""
    single = isinstance(system.form, Diagonal) and u.shape[-1] == 1 and not system.writes
    return not single and why_not_matrix(system) is None


def is_dense_pair(system: Discrete) -> bool:
    """Whether one head with dense B and C does the same at every step."""
    return system.mimo and isinstance(system, Invariant) and system.D.shape[0] == 1


def _dense(
    system: Discrete, u: Tensor, h0: Tensor, resets: Tensor | None, lengths: Tensor | None
) -> tuple[Tensor, Tensor]:
    values: Tensor = system.A.values[0]  # type: ignore[attr-defined]
    B, C = to_real(system.B[0], 0), functional_to_real(system.C[0], 1)
    D, start = system.D[0], h0[:, 0, :, 0]
    y, h = diagonal_mimo(values, B, C, u.squeeze(2), start, resets, lengths, d=D)
    return y[:, :, None], h[:, None, :, None]


def is_selective(system: Discrete) -> bool:
    """Whether the kernel of selective systems takes this one, for inputs of one channel a head."""
    transition = system.transition
    if not (isinstance(transition, Sampled) and transition.selective) or system.mimo:
        return False
    A = transition.continuous.A
    return isinstance(A, Diagonal) and not A.dtype.is_complex and transition.rule is mixed


def _select(system: Discrete) -> Selective:
    """The undiscretised system as its kernel takes it."""
    transition: Sampled = system.transition  # type: ignore[assignment]
    A, B, C = transition.continuous.A, transition.continuous.B, system.output
    if B.shape[2] != C.shape[2]:  # one of them is shared by all heads
        m = system.D.shape[0]
        B, C = (x.expand(-1, -1, m, -1) for x in (B, C))
    values: Tensor = A.values  # type: ignore[attr-defined]
    bias = None if transition.bias is None else transition.bias[:, 0]
    return Selective(values, B, C, transition.raw.squeeze(-1), system.D[:, 0], bias)


@in_blocks
def _states(
    system: Discrete, u: Tensor, h0: Tensor, resets: Tensor | None, lengths: Tensor | None
) -> tuple[Tensor, Tensor]:
    """All states at once, between the two products with B and C."""
    x = system.inject(u)
    shape = x.shape if isinstance(system, Varying) else x.shape[2:]
    a = system.A.values[..., None].expand(shape).flatten(-3)  # type: ignore[attr-defined]
    h, last = diagonal_scan(a, x.flatten(2), h0.flatten(1), resets, lengths)
    return system.read(h.view_as(x), u), last.view_as(h0)
