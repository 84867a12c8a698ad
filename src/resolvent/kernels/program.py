"""A step of a whole model as one native call: stages over buffers that are allocated once.

Where a model reads one token after the other, calls and allocations cost more than arithmetic. A
`Program` is told the stages beforehand, and runs them all by one call; threads share each stage's
parts as they come. It exists only where there are native kernels, in float32, for inference; what
each stage computes is what the layers compute, and the tests hold it to them.
"""

import torch
from torch import Tensor

from resolvent.kernels.backend import native
from resolvent.kernels.linear import Packed, describe
from resolvent.kernels.registry import addresses


def native_program() -> bool:
    """Whether there are native kernels, and so programs."""
    return native() is not None


class Program:
    """Stages on b rows of float32 numbers; buffers are (b, d) tensors, or slices of their columns.

    A row's states are left alone where `live` is False; its other numbers then mean nothing.

    Args:
        rows: b.

    Attributes:
        live: (b,) bool, to be written before a run.

    Raises:
        RuntimeError: there are no native kernels here.
    """

    def __init__(self, rows: int):
        kernels = native()
        if kernels is None:
            raise RuntimeError("there are no native kernels here: `resolvent doctor` tells why.")
        self.rows = rows
        self.live = torch.ones(rows, dtype=torch.bool)
        self._native = kernels.Program()
        self._buffers: dict[tuple[str, int], Tensor] = {}
        self._kept: list[Tensor | None] = [self.live]  # the program knows addresses only

    def buffer(self, name: str, columns: int) -> Tensor:
        """Room for (b, columns) numbers; the same one whenever it is asked for again."""
        key = (name, columns)
        if key not in self._buffers:
            self._buffers[key] = torch.zeros(self.rows, columns)
        return self._buffers[key]

    def embed(self, table: Packed, tokens: Tensor, y: Tensor) -> None:
        """Y = the rows of a matrix that tokens (b,), int64, name."""
        sizes, weights = describe(table)
        self._keep(tokens, table.data, table.scales)
        self._native.embed(
            [*sizes, self.rows, *self._strides(y)], [*weights, *addresses(tokens, y)]
        )

    def linear(
        self, x: Tensor, weight: Packed, y: Tensor, bias: Tensor | None = None, adds: bool = False
    ) -> None:
        """Y = W x + bias, or y += W x + bias."""
        sizes, weights = describe(weight)
        self._keep(weight.data, weight.scales, bias)
        given = [*sizes, self.rows, *self._strides(x, y), int(adds)]
        self._native.linear(given, [*weights, *addresses(bias, x, y)])

    def norm(
        self, x: Tensor, y: Tensor, weight: Tensor | None, eps: float, groups: int = 1
    ) -> None:
        """Y = the RMS norm of each group of x's columns, times a weight (d,)."""
        self._keep(weight)
        sizes = [self.rows, groups, x.shape[1] // groups, *self._strides(x, y)]
        self._native.norm(eps, sizes, addresses(weight, x, y))

    def convolve(
        self, x: Tensor, y: Tensor, weight: Tensor, bias: Tensor | None, tail: Tensor
    ) -> None:
        """Y = SiLU of a short convolution by weight (d, w); tail (b, w - 1, d) moves on."""
        taps = weight.detach().mT.contiguous()
        self._keep(taps, bias, tail)
        sizes = [self.rows, *weight.shape, *self._strides(x, y)]
        self._native.convolve(sizes, addresses(taps, bias, self.live, x, y, tail))

    def selective(
        self, dynamics: tuple[Tensor, Tensor, Tensor], inputs: tuple[Tensor, ...], h: Tensor
    ) -> None:
        """One step of Mamba's recurrence and gate.

        Args:
            dynamics: rates A (m, n), skips D (m,) and the step sizes' biases (m,).
            inputs: u, dt before bias and softplus, B, C and the gate, then the output y.
            h: the state (b, m, n).
        """
        self._keep(*dynamics, h)
        sizes = [self.rows, *h.shape[1:], *self._strides(*inputs)]
        self._native.selective(sizes, addresses(*dynamics, self.live, *inputs, h))

    def matrix(
        self,
        dynamics: tuple[Tensor, Tensor, Tensor],
        inputs: tuple[Tensor, ...],
        h: Tensor,
        groups: int,
        limits: tuple[float, float],
    ) -> None:
        """One step of Mamba-2's recurrence and gate.

        Args:
            dynamics: A, D and the step sizes' biases, each (m,).
            inputs: as for `selective`; B and C of all groups.
            h: the state (b, m, n, p).
            groups: groups of heads that share B and C.
            limits: of the step sizes.
        """
        self._keep(*dynamics, h)
        b, m, n, p = h.shape
        sizes = [b, m, groups, n, p, *self._strides(*inputs)]
        self._native.matrix(*limits, sizes, addresses(*dynamics, self.live, *inputs, h))

    def run(self) -> None:
        """Take the step."""
        self._native.run(torch.get_num_threads())

    def _keep(self, *tensors: Tensor | None) -> None:
        for x in tensors:
            if x is not None and not (x.is_contiguous() and x.device.type == "cpu"):
                raise ValueError("a tensor of a program is not contiguous in main memory.")
        self._kept += tensors

    def _strides(self, *buffers: Tensor) -> list[int]:
        for x in buffers:
            if x.dtype != torch.float32 or x.dim() != 2 or x.stride(1) != 1 and x.shape[1] > 1:
                raise ValueError(
                    f"a buffer is {x.dtype} {tuple(x.shape)}: expected float32 (b, d)."
                )
        self._kept += buffers
        return [x.stride(0) for x in buffers]
