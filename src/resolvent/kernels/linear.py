"""Matrices of weights in few bits, and their products with few rows: what decoding is made of.

A step of a model reads every weight once and multiplies it by one number, so that memory is the
limit: half the bytes are half the time. `pack` chooses how a matrix is stored, `unpack` defines
what it stands for, and `linear` multiplies by it without unpacking it where the rows are few.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import linear as dense_linear
from torch.nn.functional import pad

from resolvent.kernels.registry import addresses, differentiated, native_for, register

STORAGES = {"float32": 0, "bfloat16": 1, "int8": 2}
"""How weights can be stored, and what the native kernels call it."""

BLOCK = 64
"""Weights of a row that share a scale in int8; as in the kernels."""

FEW = 16
"""Rows up to which a product is limited by reading the weights rather than by arithmetic."""


class Packed(NamedTuple):
    """A matrix (n, k) as it is stored.

    Attributes:
        data: (n, k) in float32 or bfloat16; or int8, with rows padded by zeros to whole blocks.
        scales: (n, blocks) in float32, what int8 numbers are multiplied by; None otherwise.
        columns: k.
    """

    data: Tensor
    scales: Tensor | None
    columns: int


def pack(weight: Tensor, storage: str) -> Packed:
    """Store a matrix.

    Args:
        weight: (n, k), real and finite.
        storage: "float32"; "bfloat16", off by at most 2^-9 of a weight; or "int8", symmetric, off
            by at most half a scale, which is the largest of `BLOCK` neighbours over 127.

    Raises:
        ValueError: the storage is unknown, or int8 is asked for and a weight is not finite.
    """
    if storage not in STORAGES:
        raise ValueError(f"weights: {storage!r} is unknown; choose one of {', '.join(STORAGES)}")
    weight, columns = weight.detach(), weight.shape[1]
    if storage != "int8":
        return Packed(weight.to(getattr(torch, storage)).contiguous(), None, columns)
    blocks = pad(weight.float(), (0, -columns % BLOCK)).unflatten(1, (-1, BLOCK))
    if not bool(torch.isfinite(blocks).all()):
        raise ValueError("weights: a weight is not finite and has no place in int8")
    scales = blocks.abs().amax(-1) / 127
    data = (blocks / scales.clamp(min=torch.finfo(torch.float32).tiny)[..., None]).round()
    return Packed(data.to(torch.int8).flatten(1), scales, columns)


def unpack(packed: Packed) -> Tensor:
    """The matrix (n, k) that is stood for, in float32 and contiguous."""
    data, scales, columns = packed
    if scales is None:
        return data.float()
    blocks = data.unflatten(1, (-1, BLOCK)).float().mul_(scales[..., None])
    return blocks.flatten(1)[:, :columns].contiguous()


def rows(packed: Packed, index: Tensor) -> Tensor:
    """Some rows (..., k) of the matrix, in float32."""
    data, scales, columns = packed
    flat = index.flatten()
    chosen = Packed(data[flat], None if scales is None else scales[flat], columns)
    return unpack(chosen).unflatten(0, index.shape)


def linear(x: Tensor, packed: Packed, bias: Tensor | None = None) -> Tensor:
    """X W^T + bias for x (..., k), in float32; W has no gradient.

    Up to `FEW` rows meet the weights as they are stored; more of them, what they stand for.

    Raises:
        ValueError: x has another number of columns than W.
    """
    if x.shape[-1] != packed.columns:
        raise ValueError(f"x has shape {tuple(x.shape)}: expected (..., {packed.columns}).")
    x = x.float()
    if differentiated(x, bias):
        return dense_linear(x, unpack(packed), bias)
    if x.shape[:-1].numel() > FEW or native_for(x) is None:
        return _many(x, unpack(packed), bias)
    return _op(x, packed.data, packed.scales, bias, packed.columns)


def _many(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """As PyTorch's `linear`, by oneDNN, which torch brings along but asks only in low precision.

    For large matrices it is 1.1 to 1.8 times as fast as MKL, which torch asks, on an AMD Zen 4.
    """
    onednn = x.device.type == "cpu" and x.shape[-1] > 0 and torch.backends.mkldnn.is_available()
    if not onednn or torch.compiler.is_compiling():
        return dense_linear(x, weight, bias)
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")


def describe(packed: Packed) -> tuple[list[int], list[int]]:
    """What the native kernels are told of a matrix: sizes, and addresses."""
    data, scales, columns = packed
    storage = STORAGES[str(data.dtype).removeprefix("torch.")]
    return [storage, data.shape[0], columns, data.shape[1]], addresses(data, scales)


def _linear(
    x: Tensor, data: Tensor, scales: Tensor | None, bias: Tensor | None, columns: int
) -> Tensor:
    packed = Packed(data, scales, columns)
    kernels = native_for(x)
    if kernels is None:
        return dense_linear(x, unpack(packed), bias)
    x, bias = x.contiguous(), None if bias is None else bias.contiguous()
    y = _fake(x, data, scales, bias, columns)
    sizes, weights = describe(packed)
    n, k = data.shape[0], columns
    given = [*sizes, x.shape[:-1].numel(), k, n, 0]
    kernels.linear(torch.get_num_threads(), given, [*weights, *addresses(bias, x, y)])
    return y


def _fake(
    x: Tensor, data: Tensor, scales: Tensor | None, bias: Tensor | None, columns: int
) -> Tensor:
    return x.new_empty(*x.shape[:-1], data.shape[0])


_op = register(
    "linear(Tensor x, Tensor data, Tensor? scales, Tensor? bias, int columns) -> Tensor",
    _linear,
    _fake,
)
