"""The equation, its shapes, and the values that state it. No algorithm lives here.

    continuous    h' = A h + B u                 y = C h + D u
    discrete      h_t = A_t h_{t-1} + B_t u_t    y_t = C_t h_t + D u_t

Shapes, for heads m, states n, channels p (input) and q (output) a head:

            one vector a head (mimo=False)       dense (mimo=True)
    u       (b, l, m, p)                         (b, l, m, p)
    h       (b, m, n, p): a column a channel     (b, m, n, 1)
    B       (..., m, n)                          (..., m, n, p)
    C       (..., m, n)                          (..., m, q, n)
    D       (m, p), or (m, 0): y = C h           (m, p), q = p

With ``writes``, a step writes r rows a head instead of one: u (b, l, m, r, p), B (..., m, n, r)
and D (m, 0), all else as on the left.

A complex structure holds conjugate halves and the output is y = 2 Re(C h). A discrete system is
`Invariant` (no field depends on the step) or `Varying` (A and B, perhaps C, lead with axes (b, l));
which of the two is decided where the system is made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn.functional import softplus

from resolvent.discretize import Rule
from resolvent.structure import Dense, Diagonal, Householder, Structure, functional_to_real, to_real


class _once:
    """A property computed at its first use, with and without gradients apart.

    As functools.cached_property without the lock of Python 3.11, which torch.compile cannot enter;
    and what was computed under no_grad, and has no graph, is not used where gradients are on.
    """

    def __init__(self, compute: Callable[[Any], Any]):
        self.compute = compute
        self.__doc__ = compute.__doc__

    def __get__(self, owner: Any, kind: type) -> Any:
        """What was stored under the current mode, or the result of computing it now."""
        if owner is None:  # asked of the class
            return self
        kept = "_with_grad" if torch.is_grad_enabled() else "_without_grad"
        name = self.compute.__name__ + kept
        if name not in owner.__dict__:
            object.__setattr__(owner, name, self.compute(owner))
        return owner.__dict__[name]


@dataclass(frozen=True, eq=False)
class Continuous:
    """The continuous system h' = A h + B u, y = C h + D u; shapes in the module docstring."""

    A: Structure
    B: Tensor
    C: Tensor
    D: Tensor
    mimo: bool = False

    def discretize(self, rule: Rule, dt: Tensor) -> Invariant:
        """The same step size at every step: dt (m, 1) or (m, n)."""
        return Invariant(Sampled(self, rule, dt), self.C, self.D, self.mimo)

    def discretize_each(self, rule: Rule, dt: Tensor) -> Varying:
        """A step size for every step: dt (b, l, m, 1) or (b, l, m, n)."""
        return Varying(Sampled(self, rule, dt), self.C, self.D, self.mimo)

    def select(self, rule: Rule, dt: Tensor, bias: Tensor | None = None) -> Varying:
        """A step size, an input map and an output map for every step (Gu & Dao 2023, Mamba).

        B and C are (b, l, m or 1, n), 1 where all heads share them, and dt is (b, l, m, 1). With a
        bias (m, 1) the step sizes are softplus(dt + bias).
        """
        transition = Sampled(self, rule, dt, bias, selective=True)
        return Varying(transition, self.C, self.D, self.mimo, varying_output=True)


@dataclass(frozen=True, eq=False)
class Sampled:
    """A discrete pair (A, B) that remembers where it comes from and is computed on demand.

    An execution that can fuse the discretisation reads ``continuous``, ``rule`` and ``dt``, or what
    dt is made of: ``raw`` if there is no ``bias``, else softplus(raw + bias). If ``selective``, the
    continuous B leads with axes (b, l) as dt does.
    """

    continuous: Continuous
    rule: Rule
    raw: Tensor
    bias: Tensor | None = None
    selective: bool = False

    @_once
    def dt(self) -> Tensor:
        """The step sizes."""
        return self.raw if self.bias is None else softplus(self.raw + self.bias)

    @_once
    def pair(self) -> tuple[Structure, Tensor]:
        """The discrete (A, B)."""
        B = self.continuous.B if self.continuous.mimo else self.continuous.B[..., None]
        A, B = self.rule(self.continuous.A, B, self.dt)
        return A, B if self.continuous.mimo else B[..., 0]

    def map(self, f: Callable[[Tensor], Tensor]) -> Sampled:
        """The steps picked by ``f``, which acts on the (b, l) axes of what varies."""
        continuous = self.continuous
        if self.selective:
            continuous = replace(continuous, B=f(continuous.B))
        return replace(self, continuous=continuous, raw=f(self.raw))


@dataclass(frozen=True, eq=False)
class Given:
    """A discrete pair (A, B) given as it is: systems born discrete."""

    pair: tuple[Structure, Tensor]

    def map(self, f: Callable[[Tensor], Tensor]) -> Given:
        """The steps picked by ``f``, which acts on the (b, l) axes of A and B."""
        A, B = self.pair
        return Given((A.map(f), f(B)))


@dataclass(frozen=True, eq=False)
class DeltaRule:
    """The pair (A, B) of the delta rule: what A forgets along its keys, B writes under them.

    For j = 1..r, h <- (I - beta_j k_j k_j^T) h + beta_j k_j u_j^T. An execution that can run these
    one after the other reads the keys and beta of ``forget``, and B is never made.
    """

    forget: Householder

    @_once
    def pair(self) -> tuple[Structure, Tensor]:
        """A, and B (b, l, m, n, r)."""
        return self.forget, self.forget.writes()

    def map(self, f: Callable[[Tensor], Tensor]) -> DeltaRule:
        """The steps picked by ``f``, which acts on the (b, l) axes of A."""
        return DeltaRule(self.forget.map(f))


@dataclass(frozen=True, eq=False)
class Discrete:
    """What `Invariant` and `Varying` share: the pair (A, B), the output map and its reading."""

    transition: Sampled | Given | DeltaRule
    output: Tensor
    D: Tensor
    mimo: bool = False
    writes: bool = False

    @property
    def A(self) -> Structure:
        """Discrete state matrix."""
        return self.transition.pair[0]

    @property
    def form(self) -> Structure:
        """Has the class, size and dtype of A, at the cost of one step: to decide how to run.

        The continuous matrix has them too where it is diagonal: every rule leaves it so.
        """
        sampled = self.transition if isinstance(self.transition, Sampled) else None
        if sampled and isinstance(sampled.continuous.A, Diagonal):
            return sampled.continuous.A
        return self.A

    @property
    def B(self) -> Tensor:
        """Discrete input map, in the coordinates of A."""
        return self.transition.pair[1]

    @_once
    def C(self) -> Tensor:
        """Output map, in the coordinates of A."""
        if self.output.is_complex() and not self.form.dtype.is_complex:
            return functional_to_real(self.output, -1)
        return self.output

    def inject(self, u: Tensor) -> Tensor:
        """B u: (..., m, p) -> (..., m, n, p), or (..., m, n, 1) if mimo; u may be r writes."""
        if self.writes:
            return self.B @ u
        if not self.mimo:
            return self.B[..., None] * u[..., None, :]
        if not self.B.is_complex():
            return torch.einsum("...mnp,...mp->...mn", self.B, u)[..., None]
        parts = torch.einsum("...mnpc,...mp->...mnc", torch.view_as_real(self.B), u)
        return torch.view_as_complex(parts.contiguous())[..., None]

    def read(self, h: Tensor, u: Tensor) -> Tensor:
        """C h + D u: (..., m, n, p or 1), (..., m, p) -> (..., m, q)."""
        if not self.mimo:
            y = (self.C[..., None] * h).sum(-2)
            return self.skip(2 * y.real if y.is_complex() else y, u)
        if not self.C.is_complex():
            return torch.einsum("...mqn,...mn->...mq", self.C, h[..., 0]) + self.D * u
        parts = torch.view_as_real(h[..., 0].contiguous())
        weights = torch.stack(functional_to_real(self.C, -1).chunk(2, -1), -1)
        return torch.einsum("...mqnc,...mnc->...mq", weights, parts) + self.D * u

    def skip(self, y: Tensor, u: Tensor) -> Tensor:
        """Output y + D u; y itself if there is no D."""
        return y + self.D * u if self.D.shape[1] else y

    def dense(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Real matrices A (m, N, N), B (m, N, p), C (m, q, N) and D (m, p).

        Of one vector a head p = q = 1, of a step with r writes p = r. Those of a varying system
        lead with axes (b, l): what attention, state-space models and RNNs have in common (Sieber et
        al. 2024, the Dynamical Systems Framework).
        """
        columns = self.mimo or self.writes
        B = to_real(self.B, -2) if columns else to_real(self.B, -1)[..., None]
        C = functional_to_real(self.C, -1)
        return self.A.dense(), B, C if self.mimo else C[..., None, :], self.D

    def state_shape(self, p: int) -> tuple[int, int, int]:
        """Shape (m, n, p or 1) of one row's state, for p input channels a head."""
        m = self.D.shape[0]
        return m, self.form.n, 1 if self.mimo else p

    def initial_state(self, u: Tensor) -> Tensor:
        """Zeros (b, m, n, p or 1), for inputs u (b, l, ..., p)."""
        return u.new_zeros((u.shape[0], *self.state_shape(u.shape[-1])), dtype=self.form.dtype)


@dataclass(frozen=True, eq=False)
class Invariant(Discrete):
    """A discrete system whose A, B, C do not depend on the step."""

    @classmethod
    def of(cls, A: Structure, B: Tensor, C: Tensor, D: Tensor, mimo: bool = False) -> Self:
        """A system born discrete."""
        return cls(Given((A, B)), C, D, mimo)

    def closed(self) -> Invariant:
        """The same system in a structure closed under products; dense and real if need be."""
        if self.A.closed:
            return self
        B = to_real(self.B, -2 if self.mimo else -1)
        return Invariant.of(
            Dense(self.A.dense()), B, functional_to_real(self.C, -1), self.D, self.mimo
        )


@dataclass(frozen=True, eq=False)
class Varying(Discrete):
    """A discrete system whose A and B lead with axes (b, l); C and D do too, or are shared."""

    varying_output: bool = False

    @classmethod
    def of(cls, A: Structure, B: Tensor, C: Tensor, D: Tensor, mimo: bool = False) -> Self:
        """A system born discrete, with C (b, l, ...) like A and B."""
        return cls(Given((A, B)), C, D, mimo, varying_output=True)

    @classmethod
    def delta_rule(cls, A: Householder, C: Tensor) -> Self:
        """The gated delta rule with r writes a step, y = C h (Siems et al. 2025, DeltaProduct).

        All fields of A lead with (b, l, m), its keys and C perhaps with (b, l, 1): shared by all
        heads. The input is the values (b, l, m, r, p) to be written.
        """
        D = A.beta.new_zeros(A.beta.shape[2], 0)
        return cls(DeltaRule(A), C, D, writes=True, varying_output=True)

    @_once
    def form(self) -> Structure:  # type: ignore[override]
        """A at the first step alone."""
        return self.steps(0, 1).A

    def steps(self, start: int, stop: int) -> Varying:
        """The system of steps start to stop - 1."""

        def pick(x: Tensor) -> Tensor:
            return x[:, start:stop]

        output = pick(self.output) if self.varying_output else self.output
        return replace(self, transition=self.transition.map(pick), output=output)
