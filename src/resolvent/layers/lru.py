"""LRU: linear recurrent units (Orvieto et al. 2023, "Resurrecting Recurrent Neural Networks").

Born discrete: lambda = exp(-exp(nu) + i exp(theta)) on a ring inside the unit disc (eq. 4 and lemma
3.2), input scaled by gamma = sqrt(1 - |lambda|^2) (eq. 7), output Re(C h) + D u. In the language of
this package it is an impulse-invariant (dirac) system with step size 1, which is what lets factors
dt stretch its time.
"""

from __future__ import annotations

import torch
from torch import Tensor

from resolvent.initialize import diagonal
from resolvent.layers.invariant import InvariantLayer
from resolvent.layers.modal import check_d_state, seeded_generator, stable_eigenvalues
from resolvent.structure import Diagonal
from resolvent.system import Continuous


class LRU(InvariantLayer):
    """Linear recurrent unit: a dense-input diagonal recurrence started on a ring.

    Args:
        d_model: number of features.
        d_state: real states; (d_state + 1) // 2 complex eigenvalues are stored (the paper's N).
        r_min: smallest initial modulus of an eigenvalue.
        r_max: largest initial modulus, below 1.
        max_phase: largest initial phase in radians; small phases suit long sequences (section 3.4).
        execution: see :func:`resolvent.execute.run`.
    """

    def __init__(
        self,
        d_model: int,
        d_state: int = 64,
        r_min: float = 0.0,
        r_max: float = 0.99,
        max_phase: float = 6.283185307179586,
        execution: str = "auto",
    ):
        super().__init__(d_model, "dirac", execution)
        check_d_state(d_state)
        ring = diagonal.ring(d_state, r_min, r_max, max_phase, seeded_generator())
        eigenvalues = torch.from_numpy(ring.eigenvalues)
        n = len(eigenvalues)
        exponent = eigenvalues.log()
        gamma = (1 - eigenvalues.abs() ** 2).sqrt()
        self.declare("nu", (-exponent.real).log()[None], 1e-3, 0.0)
        self.declare(
            "theta", (exponent.imag % (2 * torch.pi)).clamp(min=1e-8).log()[None], 1e-3, 0.0
        )
        self.declare("gamma", gamma.log()[None], 1e-3, 0.0)
        self.declare(
            "B", torch.randn(n, d_model, dtype=torch.complex128) * d_model**-0.5, 1e-3, 0.0
        )
        self.declare("C", torch.randn(d_model, n, dtype=torch.complex128) * (2 / n) ** 0.5)
        self.declare("D", torch.randn(1, d_model))
        self.register_buffer("unit_step", torch.ones(1, 1), persistent=False)

    def continuous(self) -> Continuous:
        """A = -exp(nu) + i exp(theta), B scaled by gamma, C halved: y = Re(C h) is half of 2 Re."""
        A = Diagonal(stable_eigenvalues(self.nu, self.theta.exp()))
        B, C = (torch.view_as_complex(x)[None] for x in (self.B, self.C))
        return Continuous(A, self.gamma.exp()[..., None] * B, C / 2, self.D, mimo=True)

    def step_size(self) -> Tensor:
        """Step size 1: the recurrence is discrete."""
        return self.unit_step
