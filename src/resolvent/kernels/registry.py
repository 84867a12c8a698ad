"""Registration of ops with `torch.library`, and what they hand to the native kernels.

An op takes checked tensors. On CPUs it calls a native kernel with the tensors' addresses; without
those, and on other devices, it runs PyTorch operations.
"""

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import profiler
from torch.nn import Parameter

from resolvent.kernels.backend import current, native, using

BLOCK = 64
"""Steps between the states that are kept for a backward pass; as in the kernels."""


def native_for(x: Tensor) -> ModuleType | None:
    """The native kernels, if they can run on the device of x."""
    return native() if x.device.type == "cpu" else None


def addresses(*tensors: Tensor | None) -> list[int]:
    """Where the tensors begin; 0 for one that is not given."""
    return [0 if x is None else x.data_ptr() for x in tensors]


def kind(x: Tensor, is_complex: bool | None = None) -> tuple[bool, bool, int]:
    """What every native kernel is told first: double precision?, complex?, how many threads.

    Numbers are complex as those of x are, or as told where their parts lie apart.
    """
    double = x.dtype in (torch.float64, torch.complex128)
    return double, x.is_complex() if is_complex is None else is_complex, torch.get_num_threads()


def contiguous(*tensors: Tensor | None) -> list[Any]:
    """The tensors as the kernels want them."""
    return [x if x is None else x.contiguous() for x in tensors]


def row_marks(resets: Tensor | None, lengths: Tensor | None) -> list[Any]:
    """What interrupts rows, as the kernels want it."""
    return contiguous(resets, lengths if lengths is None else lengths.long())


def call(
    kernel: Callable[..., None],
    x: Tensor,
    sizes: Sequence[int],
    *arrays: Tensor | None,
    is_complex: bool | None = None,
) -> None:
    """Runs a native kernel on numbers of the `kind` of x: arguments and contiguous new results."""
    packed = contiguous(*arrays)  # which must live until the kernel has run
    kernel(kind(x, is_complex), sizes, addresses(*packed))


def like(x: Tensor) -> Tensor:
    """An empty contiguous tensor shaped as x."""
    return x.new_empty(x.shape)


class Gradient(NamedTuple):
    """How an op is differentiated: `backward(ctx, *grads)` after `save(ctx, inputs, output)`."""

    backward: Callable[..., tuple[Tensor | None, ...]]
    save: Callable[[Any, tuple[Any, ...], Any], None]


def kept_blocks(x: Tensor, keep: bool = True) -> int:
    """How many states of x (b, l, ...) a backward pass starts from: before all blocks but one."""
    return max(x.shape[1] - 1, 0) // BLOCK if keep else 0


def wants_checkpoints(*inputs: Tensor | None) -> bool:
    """Whether a backward pass may come; an exported program is there to be run."""
    return differentiated(*inputs) and not torch.compiler.is_exporting()


def from_checkpoints(
    backward_op: Callable[..., Any], saved: int, keeps_output: bool = False
) -> Gradient:
    """The gradient of an op (inputs, keep) -> (y, h_last, checkpoints).

    Args:
        backward_op: takes the inputs, y if it is kept, the checkpoints, gy and gh_last, and gives
            the gradients of the inputs that have one, in their order.
        saved: the number of inputs.
        keeps_output: whether y is kept for the backward pass.
    """

    def save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(output[2])
        kept = (output[0], output[2]) if keeps_output else (output[2],)
        ctx.save_for_backward(*inputs[:saved], *kept)

    def backward(
        ctx: Any, gy: Tensor | None, gh_last: Tensor | None, _: None
    ) -> tuple[Tensor | None, ...]:
        kept = ctx.saved_tensors
        if gy is None and gh_last is None:
            return (None,) * (saved + 1)
        grads = backward_op(*kept, gy, gh_last)
        pairs = zip(grads, kept[: len(grads)], strict=True)
        given = [None if x is None else grad for grad, x in pairs]
        return *given, *[None] * (saved + 1 - len(given))

    return Gradient(backward, save)


def gradients_again(
    op: Callable[..., tuple[Tensor, Tensor]],
    inputs: Sequence[Tensor | None],
    shaped: Sequence[Tensor],
    grads: tuple[Tensor, Tensor | None],
) -> tuple[Tensor, ...]:
    """Gradients of PyTorch operations, which run again.

    Args:
        op: (inputs) -> (y, h_last), differentiable.
        inputs: what it takes; None for what is not given.
        shaped: a tensor shaped as the gradient of each input; that of one not given is zero.
        grads: those of y and of h_last; None: zero.
    """
    pairs = list(zip(inputs, shaped, strict=True))
    leaves = [(other if x is None else x).detach().requires_grad_() for x, other in pairs]
    with torch.enable_grad():
        given = zip(inputs, leaves, strict=True)
        y, h_last = op(*(None if x is None else leaf for x, leaf in given))
    gy, gh_last = grads
    gh_last = torch.zeros_like(h_last) if gh_last is None else gh_last
    found = torch.autograd.grad(
        (y, h_last), leaves, (gy, gh_last), allow_unused=True, materialize_grads=True
    )
    return tuple(x.contiguous() for x in found)


_library = torch.library.Library("resolvent", "DEF")


def register(
    schema: str,
    real: Callable[..., Any],
    fake: Callable[..., Any],
    gradient: Gradient | None = None,
) -> Callable[..., Any]:
    """Register an op of the namespace `resolvent`.

    Args:
        schema: its name, arguments and results, as `torch.library` reads them.
        real: what it does, for all devices.
        fake: what its results look like, for tracing.
        gradient: how it is differentiated. Default: it is not.

    Returns:
        The op as a function, for eager mode and for tracing. The dispatcher and the registered
        gradient are made for tracing and would add some hundred microseconds to a training step
        each, since nothing of them is in the cache after a kernel; so eager calls run what the op
        does, within a `torch.autograd.Function` if any argument has a gradient.
    """
    _library.define(schema)
    name = schema.split("(")[0]
    _library.impl(name, real, "CompositeExplicitAutograd")
    torch.library.register_fake(f"resolvent::{name}", fake, lib=_library)
    op = getattr(torch.ops.resolvent, name)

    def run(*inputs: Any) -> Any:
        directly = _in_plain_eager_mode(inputs) and not differentiated(*inputs)
        return real(*inputs) if directly else op(*inputs)

    if gradient is None:
        return run
    torch.library.register_autograd(
        f"resolvent::{name}", gradient.backward, setup_context=gradient.save, lib=_library
    )
    eager = _function(run, gradient)

    def call(*inputs: Any) -> Any:
        traced = torch.compiler.is_compiling()
        return run(*inputs) if traced or not differentiated(*inputs) else eager.apply(*inputs)

    return call


_OBSERVERS = [
    getattr(torch._C, name, lambda: True)  # without it, every call is taken for observed
    for name in (
        "_len_torch_dispatch_stack",
        "_are_functorch_transforms_active",
        "_get_tracing_state",
    )
]


def _in_plain_eager_mode(inputs: Sequence[Any]) -> bool:
    """Whether nobody but the caller needs to see an op: no tracing, mode, transform or profile."""
    return not (
        torch.compiler.is_compiling()
        or profiler._is_profiler_enabled
        or any(observes() for observes in _OBSERVERS)
        or any(isinstance(x, Tensor) and not _is_plain(x) for x in inputs)
    )


def _is_plain(x: Tensor) -> bool:
    """Whether its numbers lie in memory as they are, and no other code is in charge of it."""
    lazy = x.is_conj() or x.is_neg() or x._is_zerotensor()
    return type(x) in (Tensor, Parameter) and not lazy


def differentiated(*inputs: Any) -> bool:
    """Whether gradients of any of these are wanted."""
    return torch.is_grad_enabled() and any(
        isinstance(x, Tensor) and x.requires_grad for x in inputs
    )


def _function(op: Callable[..., Any], gradient: Gradient) -> type[torch.autograd.Function]:
    def forward(ctx: Any, *inputs: Any) -> Any:
        output = op(*inputs)
        ctx.backend = current()
        gradient.save(ctx, inputs, output)
        return output

    def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, ...]:
        if ctx.backend is current():
            return gradient.backward(ctx, *grads)
        with using(ctx.backend.name):  # only it can read what its forward pass kept
            return gradient.backward(ctx, *grads)

    members = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    return type("Eager", (torch.autograd.Function,), members)
