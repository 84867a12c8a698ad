"""S5: simplified state spaces (Smith, Warrington & Linderman 2023).

One system for all features, h' = A h + B u with dense B and C, A diagonal over conjugate halves of
J blocks, a step size for every state (section 3.3), zero-order hold.
"""

from __future__ import annotations

import torch
from torch import Tensor

from resolvent.discretize import Rule
from resolvent.layers.invariant import InvariantLayer
from resolvent.layers.modal import (
    Init,
    check_d_state,
    initial_log_dt,
    modal_basis,
    stable_eigenvalues,
)
from resolvent.structure import Diagonal
from resolvent.system import Continuous


class S5(InvariantLayer):
    """Diagonal multi-input multi-output state-space layer.

    Args:
        d_model: number of features.
        d_state: real states of the whole layer; half as many complex modes are stored, and half a
            mode more for every block of odd size.
        blocks: number of equal blocks that the initial A is made of; must divide d_state.
        init: where A starts, as in `S4D`; "ptd" with LegS blocks is S5-PTD.
        rule: discretisation.
        dt_min: smallest initial step size.
        dt_max: largest initial step size.
        execution: see :func:`resolvent.execute.run`.
    """

    def __init__(
        self,
        d_model: int,
        d_state: int = 64,
        blocks: int = 1,
        init: Init = "legs",
        rule: str | Rule = "zoh",
        dt_min: float = 1e-3,
        dt_max: float = 1e-1,
        execution: str = "auto",
    ):
        super().__init__(d_model, rule, execution)
        check_d_state(d_state)
        if not isinstance(blocks, int) or blocks < 1 or d_state % blocks:
            raise ValueError(f"blocks: must divide d_state = {d_state}, got {blocks}")
        basis = modal_basis(init, d_state // blocks, 1, blocks)
        V, W = basis.V[0], basis.W[0]
        # the published initialisation: real B, complex C, fan-in taken over the state (ssm_init.py)
        scale = d_state**-0.5
        B = _truncated_normal(d_state, d_model) * scale
        C = torch.complex(_truncated_normal(d_model, d_state), _truncated_normal(d_model, d_state))
        self.declare("log_dt", initial_log_dt((1, V.shape[1]), dt_min, dt_max), 1e-3, 0.0)
        self.declare("log_decay", basis.log_decay, 1e-3, 0.0)
        self.declare("frequency", basis.frequency, 1e-3, 0.0)
        self.declare("B", W @ B.to(W.dtype), 1e-3, 0.0)
        self.declare("C", scale * C @ V)
        self.declare("D", torch.randn(1, d_model))

    def continuous(self) -> Continuous:
        """A = diag(-exp(log_decay) + i frequency), B (n, d_model), C (d_model, n), D."""
        A = Diagonal(stable_eigenvalues(self.log_decay, self.frequency))
        B, C = (torch.view_as_complex(x)[None] for x in (self.B, self.C))
        return Continuous(A, B, C, self.D, mimo=True)

    def step_size(self) -> Tensor:
        """One step size a state."""
        return self.log_dt.exp()


def _truncated_normal(rows: int, columns: int) -> Tensor:
    """Normal samples cut at two standard deviations, rescaled to variance 1."""
    x = torch.empty(rows, columns, dtype=torch.float64)
    return torch.nn.init.trunc_normal_(x, std=1.0, a=-2.0, b=2.0) / 0.87962566103423978
