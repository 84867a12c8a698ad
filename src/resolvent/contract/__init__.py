"""The layer contract as code: every promise measured, on this package's layers or on yours.

    report = verify(load_layer("my_layer.py:MyLayer"))

A layer is any nn.Module with forward(u, state=None, *, dt, resets, lengths) -> (y, state), step and
initial_state as in `resolvent.layers.base`; options that forward does not take are not held against
it.
"""

from resolvent.contract import gradient, numeric, program, sequence, value
from resolvent.contract.load import load_layer
from resolvent.contract.promise import PROMISES, NotApplicable, Promise, difference
from resolvent.contract.subject import Factory, Subject, Timing, run, walk
from resolvent.contract.tolerance import EXACT, TOLERANCES, Tolerance, tolerance
from resolvent.contract.verify import Report, Row, verify

__all__ = [
    "EXACT",
    "PROMISES",
    "TOLERANCES",
    "Factory",
    "NotApplicable",
    "Promise",
    "Report",
    "Row",
    "Subject",
    "Timing",
    "Tolerance",
    "difference",
    "gradient",
    "load_layer",
    "numeric",
    "program",
    "run",
    "sequence",
    "tolerance",
    "value",
    "verify",
    "walk",
]
