"""What a system does, read off its matrices: responses, frequencies, spectra, memory, attention.

The resolvent (s I - A)^-1 is the heart of all of them: the transfer function is C (s I - A)^-1 B,
the kernel its inverse z-transform, and its norm defines the pseudospectra that say how far
eigenvalues can be trusted (Trefethen & Embree 2005).

Everything but `kernel`, which layers train through, computes and returns float64, from parameters
of any dtype: a slow mode's 1 - |lambda| has few digits left in float32.
"""

from resolvent.analysis.attention import implied_attention
from resolvent.analysis.frequency import transfer_function
from resolvent.analysis.memory import memory_length
from resolvent.analysis.precise import in_double
from resolvent.analysis.pseudospectra import Pseudospectrum, pseudospectrum, window
from resolvent.analysis.response import impulse_response, kernel, step_response
from resolvent.analysis.spectrum import (
    eigenvalues,
    eigenvector_condition,
    resolvent_norm,
    spectral_abscissa,
    spectral_radius,
)
from resolvent.analysis.token_dynamics import TokenDynamics, token_dynamics

__all__ = [
    "Pseudospectrum",
    "TokenDynamics",
    "eigenvalues",
    "eigenvector_condition",
    "implied_attention",
    "impulse_response",
    "in_double",
    "kernel",
    "memory_length",
    "pseudospectrum",
    "resolvent_norm",
    "spectral_abscissa",
    "spectral_radius",
    "step_response",
    "token_dynamics",
    "transfer_function",
    "window",
]
