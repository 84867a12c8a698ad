"""Promises about the layer as a program: saving, exporting, compiling, repeating."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.export import Dim
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from resolvent.contract.promise import difference, promise
from resolvent.contract.sequence import VALUE, need_step
from resolvent.contract.subject import Layer, Subject, gradients, rows, run, tensors
from resolvent.contract.tolerance import EXACT, tolerance
from resolvent.layers.recurrence import frozen

ONE: tuple[tuple[int, int], ...] = ((3, 9),)


@promise(EXACT, ONE)
def deterministic(subject: Subject, b: int, length: int) -> float:
    """The same call twice gives the same bits, forward and backward."""
    found = []
    for _ in range(2):
        u = subject.inputs(b, length).requires_grad_()
        out = run(subject.layer, u)
        found.append((out, gradients(out, [u, *subject.layer.parameters()])))
    return difference(found[0], found[1])


@promise(EXACT, ONE)
def saved_weights_are_the_layer(subject: Subject, b: int, length: int) -> float:
    """Weights written to safetensors and loaded into a fresh layer give the same bits."""
    u = subject.inputs(b, length)
    other = subject.build(subject.d_model, seed=subject.seed + 1).double()
    weights = {name: x.contiguous() for name, x in subject.layer.state_dict().items()}
    other.load_state_dict(load(save(weights)))
    with torch.no_grad():
        return difference(run(other, u), run(subject.layer, u))


@promise(VALUE, ONE)
def state_is_a_value(subject: Subject, b: int, length: int) -> float:
    """A state can be saved, loaded, forked and its rows reordered, and the stream goes on."""
    need_step(subject)
    u, state = subject.inputs(b, length), subject.state(b)
    leaves, spec = tree_flatten(state)
    stored = load(save({str(i): x.contiguous() for i, x in enumerate(leaves)}))
    restored = tree_unflatten([stored[str(i)] for i in range(len(leaves))], spec)
    order = torch.arange(b - 1, -1, -1).repeat(2)[:-1]  # the rows in another order, most twice
    with torch.no_grad():
        y, after = run(subject.layer, u, state)
        forked = run(subject.layer, u[order], rows(restored, order))
    return difference(forked, (y[order], rows(after, order)))


@promise(tolerance(torch.float32, "value"), ONE)
def forward_exports(subject: Subject, b: int, length: int) -> float:
    """torch.export captures forward, state in and out, for any batch size."""
    layer, u = subject.copy(torch.float32), subject.inputs(b, length).float()
    state = _single(subject.state(b)) if subject.causal else None
    return _exported(_Forward(layer, state is not None), u, state)[0]


@promise(tolerance(torch.float32, "value"), ((3, 1),))
def step_exports(subject: Subject, b: int, length: int) -> float:
    """torch.export captures step for any batch size."""
    need_step(subject)
    return _exported_step(subject, b)[0]


@promise(tolerance(torch.float32, "value"), ((3, 1),))
def stream_is_real_arithmetic(subject: Subject, b: int, length: int) -> float:
    """A step can be exported without any complex number (what is invariant as a Recurrence)."""
    need_step(subject)
    layer, u = subject.copy(torch.float32), subject.inputs(b, length).float()[:, 0]
    state = _single(subject.state(b))
    try:
        stream: Layer = frozen(layer)
    except TypeError:
        stream = layer
        error, graph = _exported_step(subject, b)
    else:
        error, graph = _exported(_Step(stream), u, state)
    values = (node.meta.get("val") for node in graph.nodes)
    count = sum(1 for x in values if isinstance(x, Tensor) and x.is_complex())
    if count:
        raise ValueError(f"{count} operations of the exported step are complex")
    with torch.no_grad():
        return max(error, difference(stream.step(u, state), layer.step(u, state)))


@promise(tolerance(torch.float32, "value"), ((2, 66),))
def compiles_in_one_piece(subject: Subject, b: int, length: int) -> float:
    """torch.compile takes forward, lengths and gradients without a graph break."""
    layer, found = subject.copy(torch.float32), []
    lengths = subject.timing(b, length).lengths if subject.takes("lengths") else None
    torch._dynamo.reset()
    for call in (layer, torch.compile(layer, fullgraph=True, backend="aot_eager")):
        u = subject.inputs(b, length).float().requires_grad_()
        out = call(u) if lengths is None else call(u, lengths=lengths)
        found.append((out, gradients(out, [u, *layer.parameters()])))
    return difference(found[1], found[0])


class _Forward(nn.Module):
    def __init__(self, layer: Layer, stateful: bool):
        super().__init__()
        self.layer: Layer = layer
        self.stateful = stateful

    def forward(self, u: Tensor, *state: Tensor) -> Any:
        return _flat(self.layer(u, _unflat(self.layer, u, state) if self.stateful else None))


class _Step(nn.Module):
    def __init__(self, layer: Layer):
        super().__init__()
        self.layer: Layer = layer

    def forward(self, u: Tensor, *state: Tensor) -> Any:
        return _flat(self.layer.step(u, _unflat(self.layer, u, state)))


@lru_cache(maxsize=2)
def _exported_step(subject: Subject, b: int) -> tuple[float, torch.fx.Graph]:
    """Two promises look at one export of a layer's own step."""
    layer, u = subject.copy(torch.float32), subject.inputs(b, 1).float()
    return _exported(_Step(layer), u[:, 0], _single(subject.state(b)))


def _exported(module: nn.Module, u: Tensor, state: Any) -> tuple[float, torch.fx.Graph]:
    """Export at one batch size, compare at another."""
    arguments = (u, *tensors(state))
    batch = Dim("batch", min=1, max=4096)
    shapes = (dict.fromkeys([0], batch),) if len(arguments) == 1 else None
    dynamic = tuple({0: batch} for _ in arguments)
    with torch.no_grad():
        program = torch.export.export(
            module, arguments, dynamic_shapes=shapes or (dynamic[0], dynamic[1:])
        )
        more = tuple(torch.cat([x, x[:2]]) for x in arguments)
        found, expected = program.module()(*more), module(*more)
    return difference(found, expected), program.graph


def _single(state: Any) -> Any:
    return tree_map(lambda x: x.float() if x.is_floating_point() else x, state)


def _flat(out: tuple[Tensor, Any]) -> tuple[Tensor, ...]:
    return tuple(tensors(out))


def _unflat(layer: Layer, u: Tensor, leaves: tuple[Tensor, ...]) -> Any:
    spec = tree_flatten(layer.initial_state(1))[1]
    return tree_unflatten(list(leaves), spec)
