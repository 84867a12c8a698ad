"""How a discrete system runs. Every execution computes the same thing, and sees only the system.

loop      the definition, step by step
recur     that loop fused into one kernel (diagonal)
convolve  FFT with the system's kernel (invariant)
chunk     matrix products of tile size (invariant)
scan      associative scan (closed structures)
"""

from resolvent.execute.legality import EXECUTIONS, check_name, choose, why_illegal
from resolvent.execute.run import run
from resolvent.execute.step import loop, step
from resolvent.kernels import short_convolution

__all__ = [
    "EXECUTIONS",
    "check_name",
    "choose",
    "loop",
    "run",
    "short_convolution",
    "step",
    "why_illegal",
]
