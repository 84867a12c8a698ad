"""Mamba-3 (Lahoti et al. 2026, "Mamba-3: Improved Sequence Modeling using State Space Principles").

z, x, B, C, dt, a, tau, omega = W_in u          B, C of r columns, shared by a group of heads
dt = softplus(dt + b_dt), A = -f(a)             f(a) = 1 + a, or 1 / (1 - a) below 0
phi_t = phi_{t-1} + pi tanh(omega_t) dt_t       angles of pairs of states, a head and step
B, C = R(phi_t) (RMSNorm(B, C) + b_B, b_C)      so h turns, as if A were complex
h_t = e^(dt A) h_{t-1} + [(1 - tau) dt e^(dt A) B_{t-1} x_{t-1}^T] + [tau dt B_t x_t^T]
y_t = (C_t^T h_t + D x_t) * SiLU(z_t)           tau after a sigmoid; h (n x p) a head
out = W_out y

With rank r > 1 (MIMO), x_t stands for r rows E_j * x_t, z_t for r rows G_j * z_t, and y_t is
sum_j F_j * y_{t,j}, for learned E, F, G (r x p) a head. There is no short convolution: B_{t-1} is
one. Published kernels pair other states than `rotary.rotate` does: their states in another order.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from resolvent.discretize import exponential_trapezoid
from resolvent.execute import diagonal_scan
from resolvent.layers.base import Prepared, Timing, full_precision
from resolvent.layers.modal import check_d_state
from resolvent.layers.rotary import rotate
from resolvent.layers.selective import RMSNorm, SelectiveLayer, count_heads, step_size
from resolvent.layers.state import State
from resolvent.structure import Scalar
from resolvent.system import Given, Varying
from resolvent.topology.padding import zero_padding
from resolvent.topology.tail import keep_last

SLOWEST = 1e-4
"""Smallest decay rate -A, as published."""


class Mamba3(SelectiveLayer):
    """The trapezoidal, rotating selective layer, with one or several columns a step.

    Args:
        d_model: number of features.
        d_state: states of each head's channels.
        head_dim: channels a head, a divisor of expand * d_model; the largest up to 64 by default.
        expand: inner features a feature.
        n_groups: groups of heads that share B and C before their biases; must divide the heads.
        rank: columns that a step writes and reads.
        rotation: share of the states that turn, from 0 to 1.

    Raises:
        ValueError: an argument is out of range, or does not divide what it should.
    """

    def __init__(
        self,
        d_model: int,
        d_state: int = 128,
        head_dim: int | None = None,
        expand: float = 2,
        n_groups: int = 1,
        rank: int = 1,
        rotation: float = 0.5,
    ):
        super().__init__(d_model)
        check_d_state(d_state)
        if not isinstance(rank, int) or rank < 1:
            raise ValueError(f"rank: must be a positive integer, got {rank!r}")
        if not 0 <= rotation <= 1:
            raise ValueError(f"rotation: must be a share from 0 to 1, got {rotation!r}")
        inner = int(expand * d_model)
        m, angles = count_heads(inner, head_dim, n_groups), int(d_state * rotation) // 2
        self.shape, self.groups, self.rank = (m, d_state, inner // m), n_groups, rank
        self.sizes = [inner, inner, *2 * [n_groups * rank * d_state], m, m, m, angles]
        self.in_proj = nn.Linear(d_model, sum(self.sizes), False)
        self.B_norm, self.C_norm = RMSNorm(d_state), RMSNorm(d_state)
        self.out_proj = nn.Linear(inner, d_model, False)
        self.declare_dynamics(None, m)
        for name in ("B_bias", "C_bias"):
            self.declare(name, torch.ones(m, rank, d_state))
        for name, start in (("spread", 1 / rank), ("gates", 1.0), ("gather", 1 / rank)):
            weights = torch.full((m, rank, inner // m), start)
            if rank > 1:
                self.declare(name, weights)
            else:  # one row is x, z and y themselves
                self.register_buffer(name, weights, persistent=False)

    def state_shape(self) -> tuple[int, int, int]:
        """A matrix of d_state x head_dim for each head."""
        return self.shape

    def initial_state(
        self,
        batch_size: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> State:
        """Zeros: no state, no step before the first with its B and x, and no angle."""
        (h, _), (m, n, p) = super().initial_state(batch_size, device, dtype), self.shape
        sizes = (self.rank, n), (self.rank, p), (self.sizes[-1],)
        return State(h, tuple(h.new_zeros(batch_size, m, *size) for size in sizes))

    def prepare(self, u: Tensor, memory: tuple[Tensor, ...], timing: Timing) -> Prepared:
        """Project, turn, and put the step before beside each step."""
        (m, n, _), r = self.shape, self.rank
        with full_precision(u.device):
            u = u.to(self.dt_bias.dtype)
            z, x, B, C, dt, a, tau, omega = self.in_proj(u).split(self.sizes, -1)
            dt = step_size(dt + self.dt_bias, timing)[..., None]
            b_before, v_before, phi = memory or self.initial_state(len(u)).memory
            phi, phi_last = _accumulate(math.pi * omega.tanh()[:, :, None] * dt, phi, timing)
            B, C = (
                rotate(_repeat(norm(v.unflatten(-1, (-1, r, n))), m // self.groups) + bias, phi)
                for v, norm, bias in (
                    (B, self.B_norm, self.B_bias),
                    (C, self.C_norm, self.C_bias),
                )
            )
            z, x = (v.unflatten(-1, (m, 1, -1)) for v in (z, x))
            v = x * self.spread
            B, b_last = _with_before(B, b_before, timing)
            both, v_last = _with_before(v, v_before, timing)
            rate = a.clamp(min=0) + 1 / (1 - a.clamp(max=0))
            A = Scalar(-rate.clamp(min=SLOWEST), n)
            A, B = exponential_trapezoid(tau.sigmoid()[..., None])(A, B.mT, dt)
            # a read is a head that writes what the other reads' heads write
            A, B, both = A.map(lambda y: _repeat(y, r)), _repeat(B, r), _repeat(both, r)
            D = x.new_zeros(m * r, 0)
            system = Varying(Given((A, B)), C.flatten(2, 3), D, writes=True, varying_output=True)
        return Prepared(system, both, (b_last, v_last, phi_last), (v, z))

    def finish(self, y: Tensor, prepared: Prepared) -> Tensor:
        """Skip, gate, gather the rows and project back."""
        v, z = prepared.carry
        y = (y.view_as(v) + self.D[:, None, None] * v) * silu(z * self.gates)
        return self.out_proj((y * self.gather).sum(-2).flatten(2))

    def _recur(
        self, prepared: Prepared, state: State | None, timing: Timing
    ) -> tuple[Tensor, Tensor]:
        """The states of a head's reads are equal; one of them is kept."""
        if state is not None:
            state = State(state.h.repeat_interleave(self.rank, 1), state.memory)
        y, h = super()._recur(prepared, state, timing)
        return y, h[:, :: self.rank]


def _repeat(x: Tensor, times: int) -> Tensor:
    """Every group of x (b, l, g, ...) that many times in succession."""
    return x.unsqueeze(3).expand(*x.shape[:3], times, *x.shape[3:]).flatten(2, 3)


def _with_before(x: Tensor, before: Tensor, timing: Timing) -> tuple[Tensor, Tensor]:
    """Rows of the step before, then those of the step, (b, l, m, 2 r, n); and the last step's."""
    steps = torch.cat([before[:, None].to(x), x], 1)
    kept = None if timing.resets is None else ~timing.resets
    last = keep_last(steps, 1, timing.resets, timing.lengths)[:, 0]
    return torch.cat([zero_padding(steps[:, :-1], kept), x], -2), last


def _accumulate(angle: Tensor, start: Tensor, timing: Timing) -> tuple[Tensor, Tensor]:
    """Sums (b, l, m, 1, k) of angles (b, l, m, k) in float64, modulo a turn; the last (b, m, k)."""
    x, h0 = angle.double().flatten(2), start.double().flatten(1)
    phi, last = diagonal_scan(x.new_ones(x.shape[-1]), x, h0, timing.resets, timing.lengths)
    phi, last = (v.remainder(2 * math.pi) for v in (phi, last))
    return phi.view_as(angle).unsqueeze(3), last.view_as(start).to(start.dtype)
