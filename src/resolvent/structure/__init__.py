"""How A is stored: one final class a file; generic functions dispatch on the class."""

from resolvent.structure.base import (
    Structure,
    exponential,
    from_real,
    functional_to_real,
    phi1,
    resolvent,
    shifted_solve,
    to_real,
)
from resolvent.structure.dense import Dense
from resolvent.structure.diagonal import Diagonal
from resolvent.structure.dplr import DPLR
from resolvent.structure.householder import Householder, reflections
from resolvent.structure.krylov import Powers, krylov, markov, power, power_apply
from resolvent.structure.scalar import Scalar

__all__ = [
    "DPLR",
    "Dense",
    "Diagonal",
    "Householder",
    "Powers",
    "Scalar",
    "Structure",
    "exponential",
    "from_real",
    "functional_to_real",
    "krylov",
    "markov",
    "phi1",
    "power",
    "power_apply",
    "reflections",
    "resolvent",
    "shifted_solve",
    "to_real",
]
