"""One step of a complex diagonal system with everything computed beforehand: one native call."""

from __future__ import annotations

import torch
from torch import Tensor

from resolvent.kernels.backend import native
from resolvent.kernels.registry import addresses, contiguous, differentiated


def can_fuse(a: Tensor, u: Tensor, h: Tensor) -> bool:
    """Whether `fused_step` can run: plain tensors of one dtype on a CPU, without gradients."""
    if torch.compiler.is_compiling() or type(u) is not Tensor or type(h) is not Tensor:
        return False
    plain = u.device.type == "cpu" and u.dtype == h.dtype == a.dtype
    return plain and native() is not None and not differentiated(u, h)


def fused_step(
    system: tuple[Tensor, Tensor, Tensor, Tensor], u: Tensor, h: Tensor, mimo: bool
) -> tuple[Tensor, Tensor]:
    """H' = a h + B u, y = C h' + D u; shapes are not checked.

    Args:
        system: real and contiguous a (m, n, 2), B, C and D (d,). If ``mimo``, B (d, 2 m n) and
            C (2 m n, d) act on the parts of h as they lie; otherwise both are (m, 2 n), the parts
            of complex numbers, and y = 2 Re(C h') + D u.
        u: (b, d), where d = m unless ``mimo``.
        h: (b, m, n, 1, 2).
        mimo: whether B and C are dense.

    Returns:
        y (b, d) and the new h.
    """
    u, h = contiguous(u, h)
    y, after = torch.empty_like(u), torch.empty_like(h)
    kernels, kind = native(), (h.dtype == torch.float64, True, torch.get_num_threads())
    assert kernels is not None
    given, results = addresses(*system, u, h), addresses(y, after)
    (b, d), (m, n) = u.shape, system[0].shape[:2]
    if mimo:
        kernels.diagonal_mimo_step(kind, (b, m * n, d, d), given + results)
    else:  # neither resets nor lengths, and nothing is kept
        kernels.diagonal_ssm_forward(kind, (b, 1, m, n), (*given, 0, 0, *results, 0))
    return y, after
