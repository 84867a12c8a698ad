"""Selective systems, kept undiscretised: every execution against the oracle and the loop."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import oracle
from resolvent.contract import tolerance
from resolvent.discretize import BY_NAME
from resolvent.execute import run
from resolvent.execute.recur import is_selective
from resolvent.structure import Diagonal, Scalar
from resolvent.system import Continuous, Varying

BOUND = tolerance(torch.float64, "value").bound
GRADIENT = tolerance(torch.float64, "gradient").bound
SIZES = ((1, 1), (2, 9), (3, 70))  # batch, length
M, N = 3, 4
CASES = [
    *(("diagonal", p, x) for p in (1, 2) for x in ("loop", "scan", "recur")),
    *(("scalar", p, x) for p in (1, 3) for x in ("loop", "scan")),
]


def parts(name, p, shared, size, seed):
    """A (m, n) or (m,), B, C (b, l, m or 1, n), D (m, p), dt (b, l, m, 1), u and h0."""
    rng = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=rng, dtype=torch.float64)

    A = -3 * torch.rand(M, *([N] if name == "diagonal" else []), generator=rng).double()
    B, C = (normal(*size, 1 if x else M, N) for x in shared)
    return (
        A,
        B,
        C,
        normal(M, p),
        normal(*size, M, 1).abs(),
        normal(*size, M, p),
        normal(size[0], M, N, p),
    )


def marks(size, seed):
    rng = torch.Generator().manual_seed(seed)
    resets = torch.rand(*size, generator=rng) < 0.2
    return resets, torch.randint(0, size[1] + 1, size[:1], generator=rng)


def selected(A, B, C, D, dt, rule="mixed") -> Varying:
    structure = Diagonal(A) if A.ndim == 2 else Scalar(A, N)
    return Continuous(structure, B, C, D).select(BY_NAME[rule], dt)


def matrices(A, B, C, D, dt, rule):
    """The oracle's matrices of every step, discretised by the oracle's own rules."""
    A = A if A.ndim == 2 else A[:, None].expand(M, N)
    B, C = (x.expand(-1, -1, M, -1).numpy() for x in (B, C))
    lead = dt.shape[:3]
    Ad, Bd = np.zeros((*lead, N, N)), np.zeros((*lead, N, 1))
    for b, t, m in np.ndindex(*lead):
        a = np.diag(A[m].numpy())
        Ad[b, t, m], Bd[b, t, m] = oracle.discretise(
            rule, a, B[b, t, m][:, None], float(dt[b, t, m, 0])
        )
    return Ad, Bd, C[..., None, :], D.numpy()


def close(found, expected, bound=BOUND):
    scale = max(1.0, np.abs(expected).max(initial=0.0))
    assert tuple(found.shape) == expected.shape
    assert np.abs(np.asarray(found) - expected).max(initial=0.0) <= bound * scale


@pytest.mark.parametrize(("name", "p", "execution"), CASES)
@pytest.mark.parametrize("rule", ["mixed", "zoh", "signed"])
@settings(max_examples=5)
@given(
    size=st.sampled_from(SIZES),
    shared=st.tuples(st.booleans(), st.booleans()),
    seed=st.integers(0, 1000),
    marked=st.booleans(),
)
def test_selective_systems_are_the_oracle(name, p, execution, rule, size, shared, seed, marked):
    A, B, C, D, dt, u, h0 = parts(name, p, shared, size, seed)
    resets, lengths = marks(size, seed) if marked else (None, None)
    system = selected(A, B, C, D, dt, rule)
    y, h = run(system, u, h0, resets=resets, lengths=lengths, execution=execution)
    expected = oracle.simulate(
        *matrices(A, B, C, D, dt, rule), u.numpy(), h0.numpy(), resets=resets, lengths=lengths
    )
    close(y, expected[0])
    close(h, expected[1])


def slopes(execution, marked):
    leaves = [x.requires_grad_() for x in parts("diagonal", 1, (True, False), (2, 70), 3)]
    *system, u, h0 = leaves
    resets, lengths = marks((2, 70), 3) if marked else (None, None)
    y, h = run(selected(*system), u, h0, resets=resets, lengths=lengths, execution=execution)
    rng = torch.Generator().manual_seed(7)
    weights = [torch.randn(x.shape, generator=rng).double() for x in (y, h)]
    return torch.autograd.grad((y * weights[0]).sum() + (h * weights[1]).sum(), leaves)


@pytest.mark.parametrize("execution", ["scan", "recur"])
@pytest.mark.parametrize("marked", [False, True])
def test_gradients_are_those_of_the_loop(execution, marked):
    for found, expected in zip(slopes(execution, marked), slopes("loop", marked), strict=True):
        close(found, expected.numpy(), GRADIENT)


def test_only_what_the_fused_kernel_computes_goes_there():
    A, B, C, D, dt, *_ = parts("diagonal", 1, (True, True), (2, 3), 0)
    assert is_selective(selected(A, B, C, D, dt))
    assert not is_selective(selected(A, B, C, D, dt, "zoh"))
    assert not is_selective(selected(A[:, 0], B, C, D, dt))
    assert not is_selective(
        Continuous(Diagonal(A), B[0, 0], C[0, 0], D).discretize_each(BY_NAME["mixed"], dt)
    )
    assert not is_selective(selected(*(x.to(torch.complex128) for x in (A, B, C)), D, dt))
