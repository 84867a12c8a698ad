"""How a discrete system runs. Every execution computes the same thing, and sees only the system.

loop      the definition, step by step
recur     that loop fused into one kernel (diagonal)
convolve  FFT with the system's kernel (invariant)
chunk     matrix products of tile size (invariant)
scan      associative scan (closed structures)

A recurrence that is not linear is a cell, a function of state and input, and has no system until it
is linearised along a trajectory:

unroll    the definition, step by step
newton    all steps at once, by Newton's method over linear recurrences
cell_scan that loop fused into one kernel, for the cells that have one

A filter over the last n inputs has those inputs as its state:

short_convolution    a few taps, fused
filter_features      many taps, by FFT

Weights in few bits, and a step of a whole model as one native call:

pack, linear         matrices as they are stored, and their products
Program              stages on buffers that are allocated once
"""

from resolvent.execute.convolve import kernel
from resolvent.execute.finite import filter_features, shift_system
from resolvent.execute.fused_step import can_fuse, fused_step
from resolvent.execute.legality import EXECUTIONS, check_name, choose, why_illegal
from resolvent.execute.newton import NewtonOptions, Solution, newton
from resolvent.execute.run import run
from resolvent.execute.semiring import LOWEST, running
from resolvent.execute.step import loop, step
from resolvent.execute.unroll import last_state, unroll
from resolvent.kernels import (
    FEW,
    STORAGES,
    Packed,
    Program,
    cell_scan,
    cell_step,
    diagonal_scan,
    linear,
    native_program,
    pack,
    rows,
    short_convolution,
    unpack,
)

__all__ = [
    "EXECUTIONS",
    "FEW",
    "LOWEST",
    "STORAGES",
    "NewtonOptions",
    "Packed",
    "Program",
    "Solution",
    "cell_scan",
    "cell_step",
    "can_fuse",
    "check_name",
    "choose",
    "diagonal_scan",
    "filter_features",
    "fused_step",
    "kernel",
    "last_state",
    "linear",
    "loop",
    "native_program",
    "newton",
    "pack",
    "rows",
    "run",
    "running",
    "shift_system",
    "short_convolution",
    "step",
    "unpack",
    "unroll",
    "why_illegal",
]
