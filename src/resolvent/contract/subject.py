"""The layer under test, and everything the promises ask of it: inputs, states, runs."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

Factory = Callable[[int], nn.Module]
"""Builds a layer of the given number of features."""

Layer = Any
"""A module that may keep the contract: what it has beside forward is found out by trying."""

NUDGE = 0.02
"""Size of the noise on every parameter, so that nothing hides behind a zero it starts at."""


class Timing(NamedTuple):
    """When things happen in a batch: the keyword arguments of a layer's forward.

    Attributes:
        dt: (b, l) factors of the step size.
        resets: (b, l) bool.
        lengths: (b,) integers.
    """

    dt: Tensor | None = None
    resets: Tensor | None = None
    lengths: Tensor | None = None

    def given(self) -> dict[str, Tensor]:
        """The arguments that are not None."""
        return {name: x for name, x in self._asdict().items() if x is not None}


@dataclass(frozen=True)
class Subject:
    """A layer under test.

    Args:
        factory: builds a layer of a given number of features.
        d_model: number of features to test at.
        seed: what decides the weights and every input.
    """

    factory: Factory
    d_model: int = 3
    seed: int = 0

    @cached_property
    def layer(self) -> Layer:
        """The layer in float64, in evaluation mode, with every parameter nudged off its start."""
        return self.build(self.d_model).double()

    def build(self, d_model: int, seed: int | None = None) -> nn.Module:
        """A new layer of ``d_model`` features from the subject's seed, or another one."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed if seed is None else seed)
            layer = self.factory(d_model).eval()
            with torch.no_grad():
                for parameter in layer.parameters():
                    parameter.add_(NUDGE * torch.randn_like(parameter))
        return layer

    def copy(self, dtype: torch.dtype) -> Layer:
        """The same weights in another precision."""
        return deepcopy(self.layer).to(dtype)

    def random(self, salt: int = 0) -> torch.Generator:
        """A generator that starts at the same place every time it is asked for."""
        return torch.Generator().manual_seed(7919 * self.seed + salt)

    def inputs(self, b: int, length: int, salt: int = 0) -> Tensor:
        """Normal inputs (b, length, d_model) in float64."""
        return torch.randn(b, length, self.d_model, generator=self.random(salt)).double()

    def timing(self, b: int, length: int) -> Timing:
        """Random timing of all three kinds; the first row has length 0 unless it is alone."""
        g = self.random(1)
        dt = torch.rand(b, length, generator=g).double() * 1.5 + 0.25
        resets = torch.rand(b, length, generator=g) < 0.2
        lengths = torch.randint(0, length + 1, (b,), generator=g)
        if b > 1:
            lengths[0], lengths[-1] = 0, length
        return Timing(dt, resets, lengths)

    @property
    def causal(self) -> bool:
        """Whether the layer claims to be causal, which is the default."""
        return bool(getattr(self.layer, "causal", True))

    @property
    def grows(self) -> bool:
        """Whether the layer says that its state grows with the steps read."""
        return bool(getattr(self.layer, "grows", False))

    def takes(self, name: str) -> bool:
        """Whether the layer's forward has an argument of that name."""
        return name in inspect.signature(self.layer.forward).parameters

    def state(self, b: int, salt: int = 2) -> Any:
        """A state that the layer can be in: what five random steps leave behind."""
        with torch.no_grad():
            return run(self.layer, self.inputs(b, 5, salt))[1]


def run(
    layer: Layer, u: Tensor, state: Any = None, timing: Timing | None = None
) -> tuple[Tensor, Any]:
    """Call a layer and hold it to its signature.

    Raises:
        TypeError: it did not return (output, state).
        ValueError: the output has another shape than the input.
    """
    out = layer(u, state, **(Timing() if timing is None else timing).given())
    if not (isinstance(out, tuple) and len(out) == 2):
        raise TypeError(f"forward must return (output, state), got {type(out).__name__}")
    y, after = out
    if y.shape != u.shape:
        raise ValueError(f"output must have shape {tuple(u.shape)}, got {tuple(y.shape)}")
    return y, after


def walk(
    layer: Layer, u: Tensor, state: Any = None, timing: Timing | None = None
) -> tuple[Tensor, Any]:
    """The definition of forward: a loop of steps, with resets and lengths applied by hand."""
    b, length = u.shape[:2]
    dt, resets, lengths = timing or Timing()
    fresh = initial(layer, u)
    state, ys = fresh if state is None else state, []
    for t in range(length):
        before = state if resets is None else where(resets[:, t], fresh, state)
        y, after = layer.step(u[:, t], before, **({} if dt is None else {"dt": dt[:, t]}))
        if lengths is not None:
            real = t < lengths
            y, after = torch.where(real[:, None], y, torch.zeros_like(y)), where(real, after, state)
        ys.append(y)
        state = after
    return (torch.stack(ys, 1) if ys else torch.zeros_like(u)), state


def initial(layer: Layer, u: Tensor) -> Any:
    """The initial state for a batch like ``u``."""
    return layer.initial_state(u.shape[0], u.device, u.dtype)


def where(rows: Tensor, yes: Any, no: Any) -> Any:
    """Rows of one state or of another, chosen by a mask (b,)."""

    def choose(x: Tensor, y: Tensor) -> Tensor:
        x, y = aligned(x, y)
        return torch.where(rows.view(-1, *(1 for _ in y.shape[1:])), x, y)

    return tree_map(choose, yes, no)


def aligned(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Two parts of states that may have grown for different numbers of steps, made equally long.

    What grows holds one entry a step along axis 1, the latest last, and zeros before the first.
    """
    if x.ndim < 2 or x.shape[1] == y.shape[1]:
        return x, y
    size = max(x.shape[1], y.shape[1])
    x, y = (torch.cat([v.new_zeros(len(v), size - v.shape[1], *v.shape[2:]), v], 1) for v in (x, y))
    return x, y


def tensors(nest: Any) -> list[Tensor]:
    """The tensors of any nest, in order."""
    return [x for x in tree_leaves(nest) if isinstance(x, Tensor)]


def rows(state: Any, index: Tensor | slice) -> Any:
    """Some rows of a state."""
    return tree_map(lambda x: x[index], state)


def differentiable(state: Any) -> Any:
    """A copy of a state that gradients can be taken by."""
    return tree_map(
        lambda x: x.detach().clone().requires_grad_() if x.is_floating_point() else x, state
    )


def gradients(outputs: Any, inputs: Any, salt: int = 0) -> list[Tensor]:
    """Gradients of a random linear functional of all outputs by all inputs, zero where unused."""
    g = torch.Generator().manual_seed(salt)
    leaves = [x for x in tensors(outputs) if x.requires_grad]
    loss = sum((x * torch.randn(x.shape, generator=g, dtype=x.dtype)).sum() for x in leaves)
    wanted = [x for x in tensors(inputs) if x.requires_grad]
    if not isinstance(loss, Tensor):
        return [torch.zeros_like(x) for x in wanted]
    return list(torch.autograd.grad(loss, wanted, allow_unused=True, materialize_grads=True))
