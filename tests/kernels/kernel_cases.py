"""Random problems for the diagonal kernels, and their gradients by two roads."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from hypothesis import strategies as st

from resolvent.kernels.backend import available

BACKENDS = [*available(), "torch"]
"""Every road that this machine can run: instruction sets, best first, and PyTorch."""

every_backend = pytest.mark.parametrize("backend", BACKENDS)

# around the widths of vectors (4, 8, 16), the chunk (4), the short road (16) and the block (64)
LENGTHS = [0, 1, 2, 3, 5, 15, 16, 17, 31, 64, 65, 67, 131, 193]
WIDTHS = [0, 1, 2, 3, 4, 7, 8, 16, 17, 20, 37]


ACCURACY = 1e-10
"""Of float64 sums of a few hundred products, taken in another order."""


@dataclass(frozen=True)
class Problem:
    """Arguments of an op: tensors that have gradients, and marks of rows."""

    tensors: tuple[torch.Tensor | None, ...]
    resets: torch.Tensor | None
    lengths: torch.Tensor | None

    def to(self, dtypes: dict[torch.dtype, torch.dtype]) -> Problem:
        tensors = (x if x is None else x.to(dtypes[x.dtype]) for x in self.tensors)
        return replace(self, tensors=tuple(tensors))


def normal(*shape: int, is_complex: bool) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.complex128 if is_complex else torch.float64)


def real(*shape: int) -> torch.Tensor:
    return normal(*shape, is_complex=False)


def decays(*shape: int, is_complex: bool) -> torch.Tensor:
    """Within the closed disc, some of them on its rim, some of them zero."""
    size = torch.rand(shape, dtype=torch.float64) * 1.2
    size = torch.where(size > 1.1, 0, size.clamp(max=1))
    if not is_complex:
        return size * torch.where(torch.rand(shape) < 0.3, -1, 1)
    return torch.polar(size, 6 * torch.rand(shape, dtype=torch.float64))


def strided(x: torch.Tensor) -> torch.Tensor:
    """The same numbers, not contiguous."""
    return x.repeat_interleave(2, dim=-1)[..., ::2] if x.dim() else x


@st.composite
def marks(draw: st.DrawFn, batch: int, length: int):
    """Resets and lengths, or neither."""
    resets = lengths = None
    if draw(st.booleans()):
        resets = torch.rand(batch, length) < draw(st.sampled_from([0.02, 0.3, 1.0]))
    if draw(st.booleans()):
        lengths = torch.randint(0, length + 1, (batch,))
    return resets, lengths


@st.composite
def ssm_problems(draw: st.DrawFn) -> Problem:
    batch, length = draw(st.sampled_from([0, 1, 2, 3])), draw(st.sampled_from(LENGTHS))
    m, n = draw(st.sampled_from(WIDTHS)), draw(st.sampled_from([0, 1, 2, 3, 5, 8, 17]))
    is_complex = draw(st.booleans())
    torch.manual_seed(draw(st.integers(0, 2**16)))
    a = decays(m, n, is_complex=is_complex)
    b, c = (normal(m, n, is_complex=is_complex) for _ in range(2))
    b[torch.rand(m, n) < 0.1] = 0
    h0 = normal(batch, m, n, is_complex=is_complex) if draw(st.booleans()) else None
    d = real(m) if draw(st.booleans()) else None
    tensors = (a, b, c, normal(batch, length, m, is_complex=False), h0, d)
    if draw(st.booleans()):
        tensors = tuple(x if x is None else strided(x) for x in tensors)
    return Problem(tensors, *draw(marks(batch, length)))


@st.composite
def scan_problems(draw: st.DrawFn) -> Problem:
    batch, length = draw(st.sampled_from([0, 1, 2, 3])), draw(st.sampled_from(LENGTHS))
    n, is_complex = draw(st.sampled_from(WIDTHS)), draw(st.booleans())
    shapes = [(n,), (1,), (batch, length, n), (1, length, n), (batch, 1, n), (length, 1)]
    torch.manual_seed(draw(st.integers(0, 2**16)))
    a = decays(*draw(st.sampled_from(shapes)), is_complex=is_complex)
    h0 = normal(batch, n, is_complex=is_complex) if draw(st.booleans()) else None
    tensors = (a, normal(batch, length, n, is_complex=is_complex), h0)
    if draw(st.booleans()):
        tensors = tuple(x if x is None else strided(x) for x in tensors)
    return Problem(tensors, *draw(marks(batch, length)))


def run(op, problem: Problem, seed: int = 0) -> list[torch.Tensor]:
    """Both outputs of an op, then the gradients of a random linear function of them."""
    leaves = [x if x is None else x.detach().requires_grad_() for x in problem.tensors]
    y, h_last = op(*leaves, problem.resets, problem.lengths)
    generator = torch.Generator().manual_seed(seed)
    # the definition of an empty problem touches none of its arguments
    loss = sum(0 * x.real.sum() for x in leaves if x is not None)
    for out in (y, h_last):
        parts = torch.view_as_real(out.resolve_conj()) if out.is_complex() else out
        loss = loss + (parts * torch.randn(parts.shape, generator=generator)).sum()
    given = [x for x in leaves if x is not None]
    grads = torch.autograd.grad(loss, given, allow_unused=True, materialize_grads=True)
    return [y.detach(), h_last.detach(), *grads]


def largest_difference(left: list[torch.Tensor], right: list[torch.Tensor]) -> float:
    """Over all pairs, relative to the larger of 1 and the right one's largest number."""
    worst = 0.0
    for x, y in zip(left, right, strict=True):
        assert x.shape == y.shape and x.dtype == y.dtype
        if x.numel():
            scale = max(1.0, y.abs().max().item())
            worst = max(worst, (x - y).abs().max().item() / scale)
    return worst
