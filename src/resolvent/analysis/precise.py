"""Systems in float64, and the matrices that the analyses share."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor

from resolvent.system import Continuous, Discrete, Sampled

System = TypeVar("System", bound=Continuous | Discrete)


def double(x: Tensor) -> Tensor:
    """The tensor in float64, or complex128 if it is complex."""
    return x.to(torch.complex128 if x.is_complex() else torch.float64)


def in_double(system: System) -> System:
    """The same system in float64.

    A sampled system is discretised anew from its continuous parameters: rounding those is harmless,
    rounding e^(dt A) near the unit circle is not.
    """
    if isinstance(system, Continuous):
        A, B, C, D = system.A.map(double), double(system.B), double(system.C), double(system.D)
        return replace(system, A=A, B=B, C=C, D=D)
    transition = system.transition
    if isinstance(transition, Sampled):
        exact = in_double(transition.continuous)
        bias = None if transition.bias is None else double(transition.bias)
        raw = double(transition.raw)
        transition = replace(transition, continuous=exact, raw=raw, bias=bias)
    else:
        transition = transition.map(double)
    return replace(system, transition=transition, output=double(system.output), D=double(system.D))


def skip(system: Continuous | Discrete) -> Tensor:
    """What D adds to a response: (m,), or the diagonal matrices (m, q, p) if mimo.

    Raises:
        ValueError: the channels of a head differ in D, so that a head has no single response.
    """
    if system.mimo:
        return torch.diag_embed(system.D)
    if not torch.equal(system.D, system.D[:, :1].expand_as(system.D)):
        raise ValueError(
            f"D: the {system.D.shape[1]} channels of a head have different skips; analyse one "
            "channel, replace(system, D=system.D[:, :1])"
        )
    return system.D[:, 0]
