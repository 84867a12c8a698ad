"""LSSL: linear state-space layers (Gu et al. 2021, "Combining Recurrent, Convolutional, and
Continuous-time Models with Linear State-Space Layers").

One dense HiPPO matrix shared by all features, a step size a feature, generalised bilinear
discretisation with alpha = 1/2 (section 4).
"""

from __future__ import annotations

import torch
from torch import Tensor

from resolvent.discretize import Rule
from resolvent.layers.invariant import InvariantLayer
from resolvent.layers.modal import Measure, initial_log_dt, resolve_measure
from resolvent.structure import Dense
from resolvent.system import Continuous


class LSSL(InvariantLayer):
    """Dense state-space layer with one state matrix for all features.

    The matrix is stored as A = (S - S^T) - G G^T: a HiPPO matrix has this form, and whatever S and
    G become, its symmetric part is negative, so training cannot leave the stable matrices.

    Args:
        d_model: number of features.
        d_state: real states a feature.
        init: HiPPO measure "legs", "legt", "lagt" or "fout", or a `Hippo`.
        rule: discretisation.
        dt_min: smallest initial step size.
        dt_max: largest initial step size.
        execution: see :func:`resolvent.execute.run`.
    """

    def __init__(
        self,
        d_model: int,
        d_state: int = 64,
        init: Measure = "legs",
        rule: str | Rule = "bilinear",
        dt_min: float = 1e-3,
        dt_max: float = 1e-1,
        execution: str = "auto",
    ):
        super().__init__(d_model, rule, execution)
        hippo = resolve_measure(init, d_state)
        A, B = torch.from_numpy(hippo.A), torch.from_numpy(hippo.B)
        variances, axes = torch.linalg.eigh(-(A + A.mT) / 2)
        self.declare("log_dt", initial_log_dt((d_model, 1), dt_min, dt_max), 1e-3, 0.0)
        self.declare("S", (A - A.mT) / 4, 1e-4, 0.0)
        self.declare("G", axes * variances.clamp(min=0).sqrt(), 1e-4, 0.0)
        self.declare("B", B.expand(d_model, -1), 1e-3, 0.0)
        self.declare("C", torch.randn(d_model, d_state))
        self.declare("D", torch.randn(d_model, 1))

    def continuous(self) -> Continuous:
        """A = (S - S^T) - G G^T, B, C, D."""
        return Continuous(
            Dense((self.S - self.S.mT - self.G @ self.G.mT)[None]), self.B, self.C, self.D
        )

    def step_size(self) -> Tensor:
        """One step size a feature."""
        return self.log_dt.exp()
