import numpy as np
import pytest
import torch
from scipy.linalg import expm
from scipy.signal import cont2discrete
from torch.autograd import gradcheck

import oracle
from resolvent import discretize
from resolvent.structure import DPLR, Dense, Diagonal, Scalar, to_real
from structure.suite import close, each

RULES = sorted(discretize.BY_NAME)
HEADS, N, P = 2, 3, 2


def matrices(rng):
    """A stable matrix of every structure."""
    decay = 0.2 + torch.rand(HEADS, N, generator=rng).double()
    frequency = 3 * torch.randn(HEADS, N, generator=rng).double()
    low = 0.4 * torch.randn(HEADS, N, 1, generator=rng, dtype=torch.complex128)
    full = torch.randn(HEADS, N, N, generator=rng).double()
    return {
        "scalar": Scalar(-decay[:, 0], N),
        "real": Diagonal(-decay),
        "complex": Diagonal(torch.complex(-decay, frequency)),
        "dplr": DPLR(torch.complex(-decay, frequency), low, low),
        "dense": Dense(full - full.mT - 0.5 * torch.eye(N, dtype=torch.float64)),
    }


STRUCTURES = sorted(matrices(torch.Generator()))


def pair(rule, A, B, dt):
    """Abar and Bbar as real matrices."""
    Abar, Bbar = discretize.by_name(rule)(A, B, dt)
    return Abar.dense(), to_real(Bbar, -2) if Bbar.is_complex() else Bbar


def expected(rule, A, B, dt):
    dense, B = A.dense().numpy(), to_real(B, -2).numpy()
    found = [oracle.discretise(rule, dense[m], B[m], dt[m]) for m in range(HEADS)]
    return tuple(np.stack(x) for x in zip(*found, strict=True))


@pytest.fixture(params=STRUCTURES)
def case(request, rng):
    A = matrices(rng)[request.param]
    return A, torch.randn(HEADS, N, P, generator=rng, dtype=A.dtype)


def test_every_rule_of_the_oracle_is_here_and_no_other():
    assert set(oracle.RULES) == set(discretize.BY_NAME)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dt", [1e-9, 0.05, 1.3])
def test_rules_match_dense_matrices(rule, case, dt):
    A, B = case
    dt = torch.tensor([[dt], [2 * dt]], dtype=torch.float64)
    for found, wanted in zip(
        pair(rule, A, B, dt), expected(rule, A, B, dt.numpy()[:, 0]), strict=True
    ):
        close(found, wanted)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", ["real", "complex"])
def test_a_step_size_a_state(rule, name, rng):
    A = matrices(rng)[name]
    B = torch.randn(HEADS, N, P, generator=rng, dtype=A.dtype)
    dt = 0.01 + torch.rand(HEADS, N, generator=rng).double()
    each_state = dt.numpy() if name == "real" else np.concatenate([dt.numpy()] * 2, 1)
    for found, wanted in zip(pair(rule, A, B, dt), expected(rule, A, B, each_state), strict=True):
        close(found, wanted)


@pytest.mark.parametrize("rule", RULES)
def test_a_step_size_a_step_leads_with_batch_and_time(rule, case, rng):
    A, B = case
    dt = 0.01 + torch.rand(4, 5, HEADS, 1, generator=rng).double()
    Abar, Bbar = pair(rule, A, B, dt)
    assert Abar.shape[:3] == Bbar.shape[:3] == (4, 5, HEADS)
    for b, t in ((0, 0), (3, 4), (2, 1)):
        wanted = expected(rule, A, B, dt[b, t].numpy()[:, 0])
        close(Abar[b, t], wanted[0])
        close(Bbar[b, t], wanted[1])


@pytest.mark.parametrize(
    ("rule", "method"),
    [
        ("zoh", "zoh"),
        ("bilinear", "bilinear"),
        ("euler", "euler"),
        ("backward_euler", "backward_diff"),
    ],
)
def test_rules_match_scipy_signal(rule, method, case):
    A, B = case
    Abar, Bbar = pair(rule, A, B, torch.full((HEADS, 1), 0.3, dtype=torch.float64))
    for m in range(HEADS):
        dense, b = A.dense()[m].numpy(), to_real(B, -2)[m].numpy()
        c, d = np.zeros((1, len(dense))), np.zeros((1, P))
        a_ref, b_ref, *_ = cont2discrete((dense, b, c, d), 0.3, method=method)
        close(Abar[m], a_ref)
        close(Bbar[m], b_ref)


def order(rule, A) -> float:
    """Observed order: error of the free response over unit time at two step sizes, base 2."""
    exact = each(expm, A.dense().numpy())
    errors = []
    for steps in (64, 128):
        dt = torch.full((HEADS, 1), 1 / steps, dtype=torch.float64)
        Abar, _ = pair(rule, A, torch.zeros(HEADS, N, P, dtype=A.dtype), dt)
        errors.append(np.abs(np.linalg.matrix_power(Abar.numpy(), steps) - exact).max())
    return float(np.log2(errors[0] / errors[1]))


@pytest.mark.parametrize(
    ("rule", "expected"), [("euler", 1), ("backward_euler", 1), ("bilinear", 2)]
)
def test_order_of_convergence(rule, expected, case):
    # the next order's term shifts what is observed by a few per cent at 64 steps
    assert order(rule, case[0]) == pytest.approx(expected, abs=0.15)


@pytest.mark.parametrize("rule", ["zoh", "dirac", "mixed"])
def test_exponential_rules_are_exact_in_A(rule, case):
    A, B = case
    half, whole = (
        pair(rule, A, B, torch.full((HEADS, 1), x, dtype=torch.float64)) for x in (0.35, 0.7)
    )
    close(half[0] @ half[0], whole[0].numpy())
    if rule == "zoh":  # two half steps of a constant input are one whole step
        close(half[0] @ half[1] + half[1], whole[1].numpy())


@pytest.mark.parametrize("rule", ["zoh", "bilinear", "backward_euler", "dirac", "mixed"])
@pytest.mark.parametrize("dt", [1e-12, 1.0, 1e3, 1e9])
def test_stable_stays_stable_at_any_step_size(rule, case, dt):
    A, B = case
    Abar, Bbar = pair(rule, A, B, torch.full((HEADS, 1), dt, dtype=torch.float64))
    assert torch.isfinite(Abar).all() and torch.isfinite(Bbar).all()
    # the eigenvalues of a dense matrix are known to about the roundoff times its condition
    assert np.abs(np.linalg.eigvals(Abar.numpy())).max() <= 1 + 1e-9


@pytest.mark.parametrize("rule", RULES)
def test_gradients(rule, case):
    A, B = case
    dt = torch.full((HEADS, 1), 0.4, dtype=torch.float64, requires_grad=True)

    def discretised(dt, B):
        return pair(rule, A, B, dt)

    assert gradcheck(discretised, [dt, B.requires_grad_()])


@pytest.mark.parametrize("name", ["real", "complex"])
def test_zoh_of_an_integrator(name, rng):
    # A = 0: the input is summed, Bbar = dt B, and the slope in A is dt^2 / 2 B
    A = matrices(rng)[name]
    values = torch.zeros_like(A.values).requires_grad_()
    B = torch.ones(HEADS, N, 1, dtype=A.dtype)
    dt = torch.full((HEADS, 1), 0.5, dtype=torch.float64)
    _, Bbar = discretize.zoh(Diagonal(values), B, dt)
    torch.testing.assert_close(Bbar, 0.5 * B, rtol=0, atol=0)
    total = Bbar.real.sum() if Bbar.is_complex() else Bbar.sum()
    (slope,) = torch.autograd.grad(total, values)
    torch.testing.assert_close(slope, torch.full_like(slope, 0.125))


def test_rules_by_name():
    assert discretize.by_name("zoh") is discretize.zoh
    assert discretize.by_name(discretize.mixed) is discretize.mixed
    with pytest.raises(ValueError, match="rule: 'tustin' is unknown; choose one of zoh, bilinear"):
        discretize.by_name("tustin")


@pytest.mark.parametrize(("tau", "order"), [(1.0, 1), (0.5, 2)])
def test_the_exponential_trapezoid_is_of_second_order_at_one_half(case, tau, order):
    """Errors of h' = A h + B sin t at t = 2 fall by 2^order when steps are halved."""
    A, B = case
    dense, b = A.dense(), to_real(B, -2) if B.is_complex() else B
    # of h = Re(X e^{it}) with (i - A) X = -i B, started on it: no transient
    X = torch.linalg.solve(1j * torch.eye(dense.shape[-1]) - dense, -1j * b.to(torch.complex128))
    errors = []
    for steps in (32, 64):
        dt = torch.full((HEADS, 1), 2 / steps, dtype=torch.float64)
        rule = discretize.exponential_trapezoid(torch.full_like(dt, tau))
        Abar, Bbar = rule(A, torch.cat([B, B], -1), dt)
        Abar, Bbar = Abar.dense(), to_real(Bbar, -2) if Bbar.is_complex() else Bbar
        before, now = Bbar.chunk(2, -1)
        h = X.real
        for t in range(steps):
            at = torch.sin(torch.tensor([t, t + 1]).double() * 2 / steps)
            h = Abar @ h + before * at[0] + now * at[1]
        errors.append(float((h - (X * np.exp(2j)).real).norm()))
    assert 0.8 * 2**order < errors[0] / errors[1] < 1.25 * 2**order
