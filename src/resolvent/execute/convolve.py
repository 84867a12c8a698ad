"""Causal convolution with the kernel of an invariant system, by FFT."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.fft import irfft, rfft

from resolvent.analysis import kernel
from resolvent.execute.lti import final_state, in_closed_form
from resolvent.structure import Powers, markov
from resolvent.system import Invariant


def fft_convolve(u: Tensor, K: Tensor) -> Tensor:
    """Causal y_t = sum_j K_j u_{t-j}: u (b, l, m, p), K (m, q, p, l) -> (b, l, m, q)."""
    length = u.shape[1]
    size = 1 << (2 * length - 1).bit_length()
    left, right = rfft(K, size), rfft(u, size, dim=1)
    if K.shape[1:3] == (1, 1):  # a product each; as a contraction it would be copied to and fro
        spectrum = left[:, 0].permute(2, 0, 1) * right
    else:
        spectrum = torch.einsum("mqpf,bfmp->bfmq", left, right)
    return irfft(spectrum, size, dim=1)[:, :length]


@in_closed_form
def convolve(
    system: Invariant,
    closed: Invariant,
    powers: Powers,
    u: Tensor,
    h0: Tensor,
    lengths: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Y = K * u + (response to h0) + D u; the kernel comes from the system's own structure."""
    length = u.shape[1]
    K = kernel(system, length)
    if system.mimo:
        y = fft_convolve(u, K)
        C = closed.C
    else:
        b, _, m, p = u.shape
        y = fft_convolve(u.permute(0, 3, 1, 2).reshape(b * p, length, m, 1), K[:, None, None])
        y = y.view(b, p, length, m).permute(0, 2, 3, 1)
        C = closed.C[..., None, :]
    free = markov(powers, closed.A.apply(h0), C, length)  # (b, m, q or 1, 1 or p, l)
    free = free[..., 0, :] if system.mimo else free[..., 0, :, :]
    y = y + free.permute(0, 3, 1, 2) + system.D * u
    return y, final_state(closed, powers, u, h0, lengths)
