"""S4D: diagonal state spaces (Gu, Gupta, Goel & Re 2022, "On the Parameterization and
Initialization of Diagonal State Space Models").

Each feature has its own system h' = A h + B u, y = 2 Re(C h) + D u, with A diagonal over conjugate
halves, Re A = -exp(log_decay) < 0, ZOH or bilinear with a step size a feature (section 3).
"""

from __future__ import annotations

import torch
from torch import Tensor

from resolvent.discretize import Rule
from resolvent.layers.invariant import InvariantLayer
from resolvent.layers.modal import Init, initial_log_dt, modal_basis, stable_eigenvalues
from resolvent.structure import Diagonal
from resolvent.system import Continuous


class S4D(InvariantLayer):
    """Diagonal state-space layer, one single-input single-output system a feature.

    Args:
        d_model: number of features.
        d_state: real states a feature; (d_state + 1) // 2 complex modes are stored.
        init: where A and B start: a name ("legs", "lin", "inv", "real", "rand", "ptd", ...), a
            `Modes`, or a tuple of these, dealt out evenly over the features.
        rule: discretisation.
        dt_min: smallest initial step size; 1/dt_min is about the longest memory in steps.
        dt_max: largest initial step size.
        execution: see :func:`resolvent.execute.run`.
    """

    def __init__(
        self,
        d_model: int,
        d_state: int = 64,
        init: Init | tuple[Init, ...] = "legs",
        rule: str | Rule = "zoh",
        dt_min: float = 1e-3,
        dt_max: float = 1e-1,
        execution: str = "auto",
    ):
        super().__init__(d_model, rule, execution)
        basis = modal_basis(init, d_state, d_model)
        C = torch.randn(d_model, 1, d_state, dtype=torch.float64).to(basis.V.dtype) @ basis.V
        self.declare("log_dt", initial_log_dt((d_model, 1), dt_min, dt_max), 1e-3, 0.0)
        self.declare("log_decay", basis.log_decay, 1e-3, 0.0)
        self.declare("frequency", basis.frequency, 1e-3, 0.0)
        self.declare("B", basis.B, 1e-3, 0.0)
        self.declare("C", C[:, 0])
        self.declare("D", torch.randn(d_model, 1))

    def continuous(self) -> Continuous:
        """A = diag(-exp(log_decay) + i frequency), B, C, D."""
        A = Diagonal(stable_eigenvalues(self.log_decay, self.frequency))
        B, C = (torch.view_as_complex(x) for x in (self.B, self.C))
        return Continuous(A, B, C, self.D)

    def step_size(self) -> Tensor:
        """One step size a feature."""
        return self.log_dt.exp()
