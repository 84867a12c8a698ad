"""A language model's step as a native program: which models have one, and how it is written.

A layer's stages are what its `prepare` and `finish` compute for one token, in the same order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from resolvent.block import Block
from resolvent.discretize import mixed
from resolvent.execute import FEW, Program, native_program
from resolvent.layers import Mamba, Mamba2
from resolvent.layers.state import State
from resolvent.model.network import LanguageNetwork
from resolvent.model.weights import packed_matrix


class Step:
    """The program of a model for some rows, bound to their states, which it changes.

    Args:
        model: one for which :func:`why_no_program` has nothing to say.
        state: the rows' state; contiguous.

    Attributes:
        logits: of the next tokens (b, vocab_size), after a call.
    """

    def __init__(self, model: LanguageNetwork, state: tuple[State, ...]):
        b, d = len(state[0].h), model.config.d_model
        self.program = program = Program(b)
        self.tokens = torch.zeros(b, dtype=torch.long)
        x, normed = (program.buffer(name, d) for name in ("residual", "normed"))
        program.embed(packed_matrix(model.embedding), self.tokens, x)
        for block, memory in zip(model.blocks, state, strict=True):
            _norm(program, x, normed, block.norm)
            _STAGES[type(block.layer)](program, block.layer, normed, memory, x)
        _norm(program, x, normed, model.norm)
        head = packed_matrix(model.embedding if model.head is None else model.head)
        logits = program.buffer("logits", head.data.shape[0])
        program.linear(normed, head, logits)
        self.logits = logits[:, : model.config.vocab_size]

    def __call__(self, tokens: Tensor, live: Tensor) -> None:
        """Read a token (b,) of each row that is live (b,)."""
        self.tokens.copy_(tokens)
        self.program.live.copy_(live)
        self.program.run()


def why_no_program(model: LanguageNetwork, rows: int) -> str | None:
    """The reason why a model's step on some rows is not one native call; None if it is."""
    if not native_program():
        return "the native kernels are not in use"
    if model.training:
        return "the model is in training mode"
    if rows > FEW:
        return f"{rows} rows are more than the {FEW} up to which reading the weights is the limit"
    if any(x.dtype != torch.float32 or x.device.type != "cpu" for x in model.parameters()):
        return "the model is not in float32 on a CPU"
    strange = {type(x.layer).__name__ for x in model.blocks if not _has_stages(x)}
    return f"{', '.join(sorted(strange))} has no native step" if strange else None


def _has_stages(block: Block) -> bool:
    layer = block.layer
    plain = block.prenorm and isinstance(block.norm, nn.RMSNorm) and not block.mix.changes
    return plain and type(layer) in _STAGES and getattr(layer, "rule", mixed) is mixed


def _norm(program: Program, x: Tensor, y: Tensor, norm: Any) -> None:
    eps = torch.finfo(torch.float32).eps if norm.eps is None else norm.eps
    program.norm(x, y, norm.weight, eps, getattr(norm, "groups", 1))


def _linear(program: Program, x: Tensor, module: Any, y: Tensor, adds: bool = False) -> None:
    program.linear(x, packed_matrix(module), y, module.bias, adds)


def _mamba(program: Program, layer: Mamba, u: Tensor, state: State, residual: Tensor) -> None:
    inner, n = layer.A_log.shape
    rank = layer.dt_proj.in_features
    xz, x = program.buffer("xz", 2 * inner), program.buffer("x", inner)
    _linear(program, u, layer.in_proj, xz)
    program.convolve(xz[:, :inner], x, layer.conv.weight, layer.conv.bias, state.memory[0])
    selection = program.buffer("selection", rank + 2 * n)
    _linear(program, x, layer.x_proj, selection)
    low, B, C = selection.split([rank, n, n], -1)
    if layer.norm_eps is not None:
        for part in (low, B, C):
            program.norm(part, part, None, layer.norm_eps)
    dt, y = program.buffer("dt", inner), program.buffer("y", inner)
    _linear(program, low, layer.dt_proj, dt)
    dynamics = (layer.eigenvalues.detach(), layer.D, layer.dt_bias)
    program.selective(dynamics, (x, dt, B, C, xz[:, inner:], y), state.h[..., 0])
    _linear(program, y, layer.out_proj, residual, adds=True)


def _mamba2(program: Program, layer: Mamba2, u: Tensor, state: State, residual: Tensor) -> None:
    inner, (m, n, _) = layer.out_proj.in_features, layer.state_shape()
    shared = layer.groups * n
    zxdt = program.buffer("zxdt", layer.in_proj.out_features)
    xBC, y = program.buffer("xBC", inner + 2 * shared), program.buffer("y", inner)
    _linear(program, u, layer.in_proj, zxdt)
    z, x, dt = zxdt.tensor_split((inner, -m), -1)
    program.convolve(x, xBC, layer.conv.weight, layer.conv.bias, state.memory[0])
    x, B, C = xBC.split([inner, shared, shared], -1)
    dynamics = (layer.eigenvalues.detach(), layer.D, layer.dt_bias)
    inputs = (x, dt, B, C, z, y)
    program.matrix(dynamics, inputs, state.h, layer.groups, layer.dt_limit)
    _norm(program, y, y, layer.norm)
    _linear(program, y, layer.out_proj, residual, adds=True)


_STAGES: dict[type, Callable[[Program, Any, Tensor, State, Tensor], None]] = {
    Mamba: _mamba,
    Mamba2: _mamba2,
}
