"""Pictures of systems and layers: spectra, responses, memory, pseudospectra, transfer functions.

Every function returns a matplotlib Figure that was made without pyplot and needs no display; save
it with ``figure.savefig``, or embed it with `to_svg`.
"""

from resolvent.plots.dynamics import inspect_dynamics
from resolvent.plots.figures import (
    curves,
    impulse_responses,
    memory,
    pseudospectrum,
    spectrum,
    timescales,
    transfer,
)
from resolvent.plots.inspection import Picture, inspect_model
from resolvent.plots.language import inspect_language
from resolvent.plots.style import to_svg

__all__ = [
    "Picture",
    "curves",
    "impulse_responses",
    "inspect_dynamics",
    "inspect_language",
    "inspect_model",
    "memory",
    "pseudospectrum",
    "spectrum",
    "timescales",
    "to_svg",
    "transfer",
]
