"""What a system does, read off its matrices: kernel, responses, transfer function, memory.

The resolvent (s I - A)^-1 is the heart of all of them: the transfer function is C (s I - A)^-1 B,
the kernel its inverse z-transform, and its norm defines the pseudospectra that say how far
eigenvalues can be trusted (Trefethen & Embree 2005).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.fft import irfft

from resolvent.structure import DPLR, functional_to_real, markov, shifted_solve, to_real
from resolvent.system import Invariant


def kernel(system: Invariant, length: int) -> Tensor:
    """Kernel K_k = C A^k B, k = 0 .. length - 1, without the skip D.

    DPLR goes through the resolvent on the unit circle (Cauchy products, S4 section 3.3, in the
    discrete plane); closed structures through their powers.

    Returns:
        (m, length), or (m, q, p, length) if mimo.

    Raises:
        ValueError: length is not positive.
    """
    if length < 1:
        raise ValueError(f"length: must be at least 1, got {length}")
    B = system.B if system.mimo else system.B[..., None]
    C = system.C if system.mimo else system.C[..., None, :]
    if isinstance(system.A, DPLR):
        K = _kernel_by_resolvent(system.A, to_real(B, -2), functional_to_real(C, -1), length)
    else:
        K = markov(system.A, B, C, length)
    return K if system.mimo else K[:, 0, 0]


def _kernel_by_resolvent(A: DPLR, B: Tensor, C: Tensor, length: int) -> Tensor:
    """sum_k K_k w^k = C (I - A^L) (I - w A)^-1 B at the roots of unity w, then an inverse FFT.

    In float64 whatever the dtype: s - lambda cancels for slow modes, |lambda| close to 1.
    """
    A64 = A.map(lambda x: x.to(torch.complex128))
    dense, v = A64.dense(), B.double()
    C = C.double()
    C = C - C @ torch.linalg.matrix_power(dense, length)
    turn = torch.arange(length // 2 + 1, device=B.device, dtype=torch.float64) / length
    s = torch.polar(torch.ones_like(turn), 2 * torch.pi * turn)
    columns = [shifted_solve(A64, s, v[..., j]) for j in range(v.shape[-1])]
    spectrum = torch.einsum("mqn,pmfn->mqpf", C.to(s.dtype), torch.stack(columns)) * s
    return irfft(spectrum, length).to(B.dtype)
