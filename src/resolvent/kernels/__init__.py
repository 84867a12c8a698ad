"""Fast twins of the recurrences, for CPUs: native kernels, with PyTorch as the other path.

Every op can be called alone, has gradients, and works under `torch.compile` and `torch.export`.
`status()` tells what runs here and why; the environment variable `RESOLVENT_KERNELS` forces a
choice (see `resolvent.kernels.backend`).
"""

from resolvent.kernels.backend import OpStatus, status, using
from resolvent.kernels.cauchy import cauchy
from resolvent.kernels.cells import cell_scan, cell_step
from resolvent.kernels.convolution import short_convolution
from resolvent.kernels.diagonal import diagonal_scan, diagonal_ssm, vandermonde
from resolvent.kernels.linear import FEW, STORAGES, Packed, linear, pack, rows, unpack
from resolvent.kernels.long_convolution import long_convolution
from resolvent.kernels.matrix import delta_rule, matrix_scan
from resolvent.kernels.mimo import diagonal_mimo
from resolvent.kernels.program import Program, native_program
from resolvent.kernels.selective import Selective, selective_scan
from resolvent.kernels.zoh import zoh

__all__ = [
    "FEW",
    "STORAGES",
    "OpStatus",
    "Packed",
    "Program",
    "Selective",
    "cauchy",
    "cell_scan",
    "cell_step",
    "delta_rule",
    "diagonal_mimo",
    "diagonal_scan",
    "diagonal_ssm",
    "linear",
    "long_convolution",
    "matrix_scan",
    "native_program",
    "pack",
    "rows",
    "selective_scan",
    "short_convolution",
    "status",
    "unpack",
    "using",
    "vandermonde",
    "zoh",
]
