"""The state of a layer as a value: select rows, save, load."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from resolvent.atomic import write_atomic


class State(NamedTuple):
    """What a layer remembers between calls: real tensors, batch first, of a size that never grows.

    Attributes:
        h: recurrent state; conjugate halves carry a trailing axis (..., 2), real and imaginary.
        memory: what the first half of a layer keeps, such as the tail of a short convolution.
    """

    h: Tensor
    memory: tuple[Tensor, ...] = ()


def select_rows(state: Any, index: Tensor) -> Any:
    """Rows ``index`` of a state (any nest of states): fork, reorder or drop streams."""
    return tree_map(lambda x: x[index], state)


def detach(state: Any) -> Any:
    """The state without its graph, for truncated backpropagation through time."""
    return tree_map(lambda x: x.detach(), state)


def save_state(state: Any, path: str | Path) -> None:
    """Write a state (any nest of states) to a safetensors file, atomically."""
    leaves, _ = tree_flatten(state)
    tensors = {str(i): x.detach().contiguous().cpu() for i, x in enumerate(leaves)}
    write_atomic(path, save(tensors))


def load_state(path: str | Path, like: Any, grows: bool = False) -> Any:
    """Read a state written by :func:`save_state`.

    Args:
        path: the file.
        like: a state of the same layer or model, such as its ``initial_state``; any batch size.
        grows: whether axis 1 of a tensor counts steps, and may differ.

    Raises:
        ValueError: the file is damaged, or holds another number of tensors, or other shapes, than
            ``like``.
    """
    leaves, spec = tree_flatten(like)
    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path}: not a safetensors file ({error})") from error
    found = [tensors.get(str(i)) for i in range(len(leaves))]
    first = 2 if grows else 1
    shapes = [None if x is None else tuple(x.shape[first:]) for x in found]
    expected = [tuple(x.shape[first:]) for x in leaves]
    if shapes != expected or len(tensors) != len(leaves):
        raise ValueError(
            f"{path}: holds states of shapes {shapes}, expected {expected} (without the batch "
            "axis); it was saved from another layer or model"
        )
    restored = [x.to(y) for x, y in zip(found, leaves, strict=True) if x is not None]
    return tree_unflatten(restored, spec)


def pack(h: Tensor) -> Tensor:
    """A recurrent state as real numbers: conjugate halves become (..., 2)."""
    if not h.is_complex():
        return h
    # view_as_real's gradient fails on an empty batch
    return torch.view_as_real(h) if h.numel() else torch.stack([h.real, h.imag], -1)


def unpack(h: Tensor, dtype: torch.dtype) -> Tensor:
    """Inverse of :func:`pack` for a structure whose stored dtype is ``dtype``."""
    return torch.view_as_complex(h.contiguous()) if dtype.is_complex else h
