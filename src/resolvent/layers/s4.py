"""S4: structured state spaces (Gu, Goel & Re 2022, "Efficiently Modeling Long Sequences with
Structured State Spaces"; initialisations of Gu et al. 2023, "How to Train Your HiPPO").

A = Lambda - P P* in the basis where the normal part of a HiPPO matrix is diagonal, bilinear
discretisation, one system a feature. The kernel is the resolvent of the discrete matrix at the
roots of unity (Cauchy products, Woodbury); there is no truncated C to undo before streaming.
"""

from __future__ import annotations

import torch
from torch import Tensor

from resolvent.discretize import Rule
from resolvent.layers.invariant import InvariantLayer
from resolvent.layers.modal import Measure, initial_log_dt, low_rank_basis, stable_eigenvalues
from resolvent.structure import DPLR
from resolvent.system import Continuous


class S4(InvariantLayer):
    """Diagonal-plus-low-rank state-space layer, one system a feature.

    With P on both sides the matrix is dissipative, so every discrete eigenvalue stays in the disc.

    Args:
        d_model: number of features.
        d_state: real states a feature; (d_state + 1) // 2 complex modes are stored.
        init: HiPPO measure "legs", "legt", "lagt" or "fout", a `Hippo`, or a tuple of these, dealt
            out evenly over the features (S4-LegS/FouT is ``("legs", "fout")``).
        rule: discretisation.
        dt_min: smallest initial step size.
        dt_max: largest initial step size.
        execution: see :func:`resolvent.execute.run`.
    """

    def __init__(
        self,
        d_model: int,
        d_state: int = 64,
        init: Measure | tuple[Measure, ...] = "legs",
        rule: str | Rule = "bilinear",
        dt_min: float = 1e-3,
        dt_max: float = 1e-1,
        execution: str = "auto",
    ):
        super().__init__(d_model, rule, execution)
        basis, P = low_rank_basis(init, d_state, d_model)
        C = torch.randn(d_model, 1, d_state, dtype=torch.float64).to(basis.V.dtype) @ basis.V
        self.declare("log_dt", initial_log_dt((d_model, 1), dt_min, dt_max), 1e-3, 0.0)
        self.declare("log_decay", basis.log_decay, 1e-3, 0.0)
        self.declare("frequency", basis.frequency, 1e-3, 0.0)
        self.declare("P", P, 1e-3, 0.0)
        self.declare("B", basis.B, 1e-3, 0.0)
        self.declare("C", C[:, 0])
        self.declare("D", torch.randn(d_model, 1))

    def continuous(self) -> Continuous:
        """A = diag(-exp(log_decay) + i frequency) - P P*, B, C, D."""
        P, B, C = (torch.view_as_complex(x) for x in (self.P, self.B, self.C))
        A = DPLR(stable_eigenvalues(self.log_decay, self.frequency), P, P)
        return Continuous(A, B, C, self.D)

    def step_size(self) -> Tensor:
        """One step size a feature."""
        return self.log_dt.exp()
