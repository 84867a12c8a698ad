"""The residual block around a layer: norm, layer, mix, dropout, residual.

    prenorm     y = u + mix(layer(norm(u)))
    postnorm    y = norm(u + mix(layer(u)))

The layers are linear over time; what mixes the features nonlinearly is the ``mix``. With y the
output of the layer, g = GELU(y), and sigma the logistic function:

    none        y
    gelu        g
    glu         W1 g * sigma(W2 g)      S4 (Gu et al. 2022); "full_glu" in S5
    half_glu1   g * sigma(W g)          S5 (Smith et al. 2023)
    half_glu2   y * sigma(W g)          S5

Dropout acts on g and on the gated product, with one mask a row and feature for the whole sequence.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resolvent.layers.mixer import WholeMixer
from resolvent.topology.padding import real_steps, zero_padding


class _Form(NamedTuple):
    """What is gated ("y", "g" or "Wg"; see the module docstring), and whether it is."""

    value: str
    gated: bool


_GLU = _Form("Wg", True)
_FORMS = {
    "none": _Form("y", False),
    "gelu": _Form("g", False),
    "glu": _GLU,
    "full_glu": _GLU,
    "half_glu1": _Form("g", True),
    "half_glu2": _Form("y", True),
}
MIXES = tuple(_FORMS)
NORMS = ("layer", "rms", "batch", "none")


class Block(nn.Module):
    """A layer (b, l, d_model) -> (b, l, d_model) within its residual branch; itself a layer.

    Args:
        layer: any layer; the block is causal if it is.
        mix: one of ``MIXES``, the equations of the module docstring.
        norm: "layer", "rms", "batch" (over the real steps of all rows) or "none".
        prenorm: norm on the branch's input (True) or on the block's output (False).
        dropout: probability in [0, 1); active in training, never in ``step``.
        eps: the norm's, see :func:`make_norm`.

    Raises:
        ValueError: mix or norm is unknown, or dropout lies outside [0, 1).
    """

    def __init__(
        self,
        layer: WholeMixer,
        mix: str = "half_glu1",
        norm: str = "layer",
        prenorm: bool = True,
        dropout: float = 0.0,
        eps: float | None = None,
    ):
        super().__init__()
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout: must be a probability in [0, 1), got {dropout!r}")
        self.d_model = layer.d_model
        self.prenorm = prenorm
        self.dropout = dropout
        self.norm = make_norm(norm, layer.d_model, eps)
        self.layer = layer
        self.mix = Mix(layer.d_model, mix)

    @property
    def causal(self) -> bool:
        """Whether the output at a step depends on the steps up to it alone."""
        return self.layer.causal

    def forward(
        self,
        u: Tensor,
        state: Any = None,
        *,
        dt: Tensor | None = None,
        resets: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> tuple[Tensor, Any]:
        """Run whole sequences; arguments, results and errors as in :meth:`Layer.forward`."""
        real = real_mask(u, lengths)
        u = zero_padding(u, real)
        x = normalise(self.norm, u, real) if self.prenorm else u
        y, state = self.layer(x, state, dt=dt, resets=resets, lengths=lengths)
        y = u + self.mix(y, self.dropout if self.training else 0.0)
        y = y if self.prenorm else normalise(self.norm, y, real)
        return zero_padding(y, real), state

    def step(self, u_t: Tensor, state: Any, *, dt: Tensor | None = None) -> tuple[Tensor, Any]:
        """One step of a stream: u_t (b, d_model), dt (b,) -> y_t (b, d_model) and the new state.

        Raises:
            TypeError: the layer is not causal.
        """
        require_causal(self)
        x = self.norm(u_t) if self.prenorm else u_t
        y, state = self.layer.step(x, state, dt=dt)  # type: ignore[union-attr, operator]
        y = u_t + self.mix(y)
        return y if self.prenorm else self.norm(y), state

    def initial_state(
        self,
        batch_size: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> Any:
        """The layer's state before the first step.

        Raises:
            TypeError: the layer is not causal.
        """
        require_causal(self)
        return self.layer.initial_state(batch_size, device, dtype)  # type: ignore[union-attr, operator]


class Mix(nn.Module):
    """Position-wise nonlinearity and gate; the equations are in the module docstring.

    Args:
        d_model: number of features.
        mix: one of ``MIXES``.
    """

    def __init__(self, d_model: int, mix: str):
        super().__init__()
        if mix not in _FORMS:
            raise ValueError(f"mix: {mix!r} is unknown; choose one of {', '.join(MIXES)}")
        self.form = _FORMS[mix]
        if self.form.gated:
            self.linear = nn.Linear(d_model, 2 * d_model if self.form.value == "Wg" else d_model)

    @property
    def changes(self) -> bool:
        """Whether it does anything, dropout aside."""
        return self.form != _FORMS["none"]

    def forward(self, y: Tensor, dropout: float = 0.0) -> Tensor:
        """Mix y (b, l, d_model), or (b, d_model) without dropout."""
        if not self.changes:
            return tied_dropout(y, dropout)
        g = tied_dropout(F.gelu(y), dropout)
        if not self.form.gated:
            return g
        gate = self.linear(g)
        if self.form.value == "Wg":
            return tied_dropout(F.glu(gate), dropout)
        value = g if self.form.value == "g" else y
        return tied_dropout(value * gate.sigmoid(), dropout)


class BatchNorm(nn.Module):
    """Batch normalisation over the real steps of all rows (Ioffe & Szegedy 2015).

    In training the statistics are those of the batch; in evaluation, and wherever one step stands
    alone, the running ones, so that a stream sees what the batch saw.

    Args:
        d_model: number of features.
        momentum: weight of the newest batch in the running statistics.
        eps: added to the variance.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, d_model: int, momentum: float = 0.1, eps: float = 1e-5):
        super().__init__()
        self.momentum = momentum
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))
        self.register_buffer("running_mean", torch.zeros(d_model))
        self.register_buffer("running_var", torch.ones(d_model))

    def forward(self, x: Tensor, real: Tensor | None = None) -> Tensor:
        """Normalise x (b, l, d_model) over its real steps (b, l, 1); one step is (b, d_model)."""
        if not self.training or x.ndim == 2:
            return self._normalise(x.flatten(0, -2), False).view_as(x)
        if real is None:
            return self._normalise(x.flatten(0, -2), True).view_as(x)
        keep = real[..., 0]
        return torch.zeros_like(x).index_put((keep,), self._normalise(x[keep], True).to(x.dtype))

    def _normalise(self, x: Tensor, by_batch: bool) -> Tensor:
        by_batch = by_batch and x.shape[0] > 1  # one value has no variance
        return F.batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            by_batch,
            self.momentum,
            self.eps,
        )


def make_norm(norm: str, d_model: int, eps: float | None = None) -> nn.Module:
    """The norm named ``norm``, one of ``NORMS``; eps is 1e-5 by default, 1e-6 for "rms".

    Raises:
        ValueError: the name is unknown.
    """
    if norm == "layer":
        return nn.LayerNorm(d_model, eps or 1e-5)
    if norm == "rms":
        return nn.RMSNorm(d_model, eps or 1e-6)
    if norm == "batch":
        return BatchNorm(d_model, eps=eps or 1e-5)
    if norm == "none":
        return nn.Identity()
    raise ValueError(f"norm: {norm!r} is unknown; choose one of {', '.join(NORMS)}")


def normalise(norm: nn.Module, x: Tensor, real: Tensor | None) -> Tensor:
    """Norm of x (b, l, d); only batch statistics look at which steps are ``real``."""
    return norm(x, real) if isinstance(norm, BatchNorm) else norm(x)


def tied_dropout(x: Tensor, p: float) -> Tensor:
    """Dropout with one mask a row and feature, the same at all steps of x (b, l, d)."""
    return x * F.dropout(x.new_ones(x.shape[0], 1, x.shape[2]), p) if p else x


def real_mask(x: Tensor, lengths: Tensor | None) -> Tensor | None:
    """Which steps of right-padded x (b, l, ...) are real, (b, l, 1) bool; None if all are.

    Raises:
        ValueError: lengths is not one number a row.
    """
    if lengths is None:
        return None
    if lengths.shape != x.shape[:1]:
        raise ValueError(
            f"lengths: expected shape ({x.shape[0]},), one a row, got {tuple(lengths.shape)}"
        )
    return real_steps(lengths, x.shape[1])[..., None]


def require_causal(module: Any) -> None:
    """Refuse to stream what reads the future.

    Raises:
        TypeError: the module is not causal.
    """
    if not module.causal:
        raise TypeError(
            "a layer reads the future, so there is no state to carry and no step; run whole "
            "sequences with forward, or build the model of causal layers, with bidirectional=False"
        )
