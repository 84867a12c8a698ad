"""A case: an op at one size, beside others that compute the same; first held to a reference."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from resolvent.bench.measure import (
    CLOSE,
    Machine,
    agree,
    medians,
    with_gradients,
    without_gradients,
)
from resolvent.kernels import using

Limit = Literal["products", "bandwidth"]


class Call(NamedTuple):
    """A function of tensors and its arguments.

    Attributes:
        op: gives one tensor.
        inputs: what it takes, and what it is differentiated by.
        same: whether it computes what the case computes; False for what stands there for scale.
    """

    op: Callable[..., Tensor]
    inputs: tuple[Tensor, ...]
    same: bool = True


@dataclass(frozen=True)
class Case:
    """One op at one size.

    Attributes:
        op: what is measured; cases of one op share a table.
        size: its sizes, in words.
        ours: the call to be timed, float32.
        peers: others, by name.
        reference: what gives the right result, in float64; by default ``ours`` on PyTorch
            operations alone.
        work: what the forward pass cannot do without: multiplications and additions, or bytes.
        limit: which of the machine's limits that is counted against.
        passes: what is timed, "forward" and "both" (forward and backward).
    """

    op: str
    size: str
    ours: Call
    peers: dict[str, Call] = field(default_factory=dict)
    reference: Call | None = None
    work: float = 0.0
    limit: Limit = "products"
    passes: tuple[str, ...] = ("forward", "both")


class Row(NamedTuple):
    """What was measured of one pass of a case.

    Attributes:
        op: as the case has it.
        size: as the case has it.
        kind: "forward" or "both".
        ours: milliseconds; None if the result was wrong, so that nothing was timed.
        reached: share of the machine's limit, where the case counts its work.
        peers: times of the others as multiples of ours.
        wrong: what was wrong.
    """

    op: str
    size: str
    kind: str
    ours: float | None
    reached: float | None
    peers: dict[str, float]
    wrong: str = ""


MAKE = {"forward": without_gradients, "both": with_gradients}


def run(case: Case, machine: Machine, runs: int) -> Iterator[Row]:
    """Check a case, then time it and its peers in turns: a row for each pass.

    A pass whose results differ from the reference is not timed, nor is one after it, and its row
    says so.
    """
    wrong = ""
    for kind in case.passes:
        try:
            if not wrong:
                check(case, kind)
        except ArithmeticError as found:
            wrong = str(found)
        if wrong:
            yield Row(case.op, case.size, kind, None, None, {}, wrong)
            continue
        calls = {"": case.ours, **case.peers}
        made = [MAKE[kind](x.op, x.inputs) for x in calls.values()]
        times = dict(zip(calls, medians(made, runs), strict=True))
        ours = times.pop("")
        reached = None
        if kind == "forward" and case.work:
            reached = case.work / ours / 1e6 / getattr(machine, case.limit)
        ratios = {name: ms / ours for name, ms in times.items()}
        yield Row(case.op, case.size, kind, ours, reached, ratios)


def check(case: Case, kind: str) -> None:
    """Compare results, and gradients where they are wanted, with the reference.

    Raises:
        ArithmeticError: those of a call differ; the message says whose.
    """
    doubled = Call(case.ours.op, tuple(_double(x) for x in case.ours.inputs))
    expected = exact(case.reference or doubled, kind)
    for name, call in {"ours": case.ours, **case.peers}.items():
        if not call.same:
            continue
        if name != "ours" and kind == "both":
            continue  # a peer may take other inputs, so that only its results can be compared
        found = _results(MAKE[kind](call.op, call.inputs))
        for y, right in zip(found, expected, strict=True):
            try:
                agree(y, right, CLOSE if kind == "forward" else 10 * CLOSE)
            except ArithmeticError as wrong:
                raise ArithmeticError(f"{name}: {wrong}") from None


def exact(call: Call, kind: str) -> list[Tensor]:
    """What a call, whose inputs are in float64, gives on PyTorch operations."""
    with using("torch"):
        return _results(MAKE[kind](call.op, call.inputs))


def _results(call: Callable[[], Any]) -> list[Tensor]:
    found = call()
    return [found] if isinstance(found, Tensor) else list(found)


def _double(x: Tensor) -> Tensor:
    if x.is_complex():
        return x.to(torch.complex128)
    return x.double() if x.is_floating_point() else x


def of_module(
    module: nn.Module, *inputs: Tensor, output: Callable[[Any], Tensor] = lambda y: y[0]
) -> tuple[Call, Call]:
    """A module as a call, differentiated by its parameters too, and itself in float64.

    Args:
        module: takes the inputs.
        inputs: tensors.
        output: picks a tensor of what the module gives; by default the first of a tuple.
    """

    def call(module: nn.Module, inputs: tuple[Tensor, ...]) -> Call:
        return Call(
            lambda *given: output(module(*given[: len(inputs)])), (*inputs, *module.parameters())
        )

    double = tuple(_double(x) for x in inputs)
    return call(module, inputs), call(copy.deepcopy(module).double(), double)
