"""The kernel of diagonal plus low rank by Cauchy products, against the powers of a dense matrix."""

import pytest
import torch

from resolvent import analysis, execute
from resolvent.structure import DPLR
from resolvent.system import Given, Invariant


def system(m: int, n: int, rank: int, mimo: bool) -> Invariant:
    """A stable one with random maps."""
    torch.manual_seed(n + rank)
    values = torch.polar(0.9 * torch.rand(m, n).double().sqrt(), 6 * torch.rand(m, n).double())
    P, Q = (0.2 * torch.randn(m, n, rank, dtype=values.dtype) for _ in range(2))
    B = torch.randn(m, n, *[2] * mimo, dtype=values.dtype)
    C = torch.randn(m, *[3] * mimo, n, dtype=values.dtype)
    D = torch.zeros(m, 2 if mimo else 1).double()
    return Invariant(Given((DPLR(values, P, Q), B)), C, D, mimo)


@pytest.mark.parametrize("length", [1, 2, 7, 64])
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("mimo", [False, True])
def test_it_is_that_of_the_dense_system(length, rank, mimo):
    given = system(3, 5, rank, mimo)
    A, B = given.transition.pair
    assert isinstance(A, DPLR)
    leaves = [x.requires_grad_() for x in (A.values, A.P, A.Q, B, given.output)]
    found = execute.kernel(given, length)
    expected = analysis.kernel(given.closed(), length)
    assert (found - expected).abs().max() <= 1e-10 * expected.abs().max()
    weight = torch.randn_like(expected)
    slopes = [torch.autograd.grad(x, leaves, weight, allow_unused=True) for x in (found, expected)]
    for x, y in zip(*slopes, strict=True):
        if y is None:  # one step sees C B alone
            assert x is None or x.abs().max() <= 1e-10
        else:
            assert (x - y).abs().max() <= 1e-10 * y.abs().max().clamp(min=1)
