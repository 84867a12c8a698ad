"""DSS: diagonal state spaces (Gupta, Gu & Berant 2022, "Diagonal State Spaces are as Effective as
Structured State Spaces"), in its exponential form (proposition 1a).

The eigenvalues are shared by all features, B is 1 and merged into W, the step size scales the real
and the imaginary part separately, and the output is Re(W h) over unpaired complex states.
"""

from __future__ import annotations

import torch
from torch import Tensor

from resolvent.layers.invariant import InvariantLayer
from resolvent.layers.modal import Init, initial_log_dt, modal_basis, stable_eigenvalues
from resolvent.structure import Diagonal
from resolvent.system import Continuous


class DSS(InvariantLayer):
    """Diagonal state-space layer with eigenvalues shared by all features (DSS-exp).

    The softmax form divides W by e^(L dt lambda) - 1, which ties it to one length L and forbids
    streaming; its kernel is that of this layer with another W.

    Args:
        d_model: number of features.
        d_state: real states a feature; (d_state + 1) // 2 complex ones (the paper's N) are stored.
        init: where the eigenvalues start, as in `S4D`.
        dt_min: smallest initial step size.
        dt_max: largest initial step size.
        execution: see :func:`resolvent.execute.run`.
    """

    def __init__(
        self,
        d_model: int,
        d_state: int = 64,
        init: Init = "dss",
        dt_min: float = 1e-3,
        dt_max: float = 1e-1,
        execution: str = "auto",
    ):
        super().__init__(d_model, "zoh", execution)
        basis = modal_basis(init, d_state, 1)
        n = basis.log_decay.shape[1]
        log_dt = initial_log_dt((d_model, 1), dt_min, dt_max)
        self.declare("log_dt_real", log_dt, 1e-3, 0.0)
        self.declare("log_dt_imag", log_dt, 1e-3, 0.0)
        self.declare("log_decay", basis.log_decay, 1e-3, 0.0)
        self.declare("frequency", basis.frequency, 1e-3, 0.0)
        # unit variance on each component, as published: torch's complex normal has half of it
        self.declare("W", torch.randn(d_model, n, dtype=torch.complex128) * 2**0.5, 1e-3, 0.0)
        self.declare("D", torch.randn(d_model, 1))

    def continuous(self) -> Continuous:
        """A = -exp(log_decay) + i (dt_imag/dt_real) frequency, B = 1, C = W/2: y = Re(W h)."""
        ratio = (self.log_dt_imag - self.log_dt_real).exp()
        log_decay = self.log_decay.expand(self.d_model, -1)
        A = Diagonal(stable_eigenvalues(log_decay, ratio * self.frequency))
        W = torch.view_as_complex(self.W)
        return Continuous(A, torch.ones_like(W), W / 2, self.D)

    def step_size(self) -> Tensor:
        """One step size a feature, that of the real part."""
        return self.log_dt_real.exp()
