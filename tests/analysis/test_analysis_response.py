"""Responses in time and frequency against matrix exponentials and solves in NumPy.

Tolerance 1e-10: condition numbers here are below 1e3, and everything is float64.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.linalg import expm

import oracle
from resolvent import discretize
from resolvent.analysis import (
    impulse_response,
    in_double,
    kernel,
    step_response,
    transfer_function,
)
from resolvent.initialize import hippo
from resolvent.layers import S4
from resolvent.structure import Dense
from resolvent.system import Continuous, Invariant

TOL = dict(rtol=1e-10, atol=1e-10)
TIMES = np.array([0.0, 0.01, 0.5, 2.0, 7.0])
POINTS = np.array([0.3, 1j, -0.2 + 4j, 0.1 - 2j, 30j])


def expected_shape(case, values):
    """From (m, q, p, l) to what is documented: SISO systems drop the channel axes."""
    values = np.asarray(values)
    return values if case.system.mimo else values[:, 0, 0]


def test_the_continuous_impulse_response_is_a_matrix_exponential(case):
    found = impulse_response(case.system, torch.from_numpy(TIMES))
    expected = [
        np.stack([C @ expm(t * A) @ B for t in TIMES], -1)
        for A, B, C in zip(case.A, case.B, case.C, strict=True)
    ]
    np.testing.assert_allclose(found, expected_shape(case, expected), **TOL)


def test_the_continuous_step_response_is_its_integral_plus_the_skip(case):
    found = step_response(case.system, torch.from_numpy(TIMES))
    expected = [
        np.stack([C @ (t * oracle.phi1(t * A)) @ B + D for t in TIMES], -1)
        for A, B, C, D in zip(*case[1:], strict=True)
    ]
    np.testing.assert_allclose(found, expected_shape(case, expected), **TOL)


def test_a_pure_integrator_has_a_ramp_as_step_response():
    one = torch.ones(1, 1, dtype=torch.float64)
    system = Continuous(Dense(torch.zeros(1, 1, 1, dtype=torch.float64)), one, one, 0 * one)
    np.testing.assert_allclose(step_response(system, torch.tensor([0.0, 1.0, 5.0]))[0], [0, 1, 5])


@pytest.mark.parametrize("rule", ["zoh", "bilinear"])
def test_discrete_responses_follow_the_recurrence(case, rule):
    dt = 0.1 + torch.rand(2, 1, dtype=torch.float64)
    system = case.system.discretize(discretize.by_name(rule), dt)
    impulse = []
    for A, B, C, D, step in zip(*case[1:], dt[:, 0].numpy(), strict=True):
        K = oracle.impulse_response(*oracle.discretise(rule, A, B, step), C, 12)
        K[..., 0] += D
        impulse.append(K)
    expected = expected_shape(case, impulse)
    np.testing.assert_allclose(impulse_response(system, 12), expected, **TOL)
    np.testing.assert_allclose(step_response(system, 12), expected.cumsum(-1), **TOL)


def test_the_continuous_transfer_function_is_a_solve(case):
    found = transfer_function(case.system, torch.from_numpy(POINTS))
    eye = np.eye(case.A.shape[-1])
    expected = [
        np.stack([C @ np.linalg.solve(s * eye - A, B + 0j) + D for s in POINTS], -1)
        for A, B, C, D in zip(*case[1:], strict=True)
    ]
    np.testing.assert_allclose(found, expected_shape(case, expected), **TOL)


def test_the_discrete_transfer_function_sums_the_impulse_response(case):
    system = case.system.discretize(discretize.zoh, torch.full((2, 1), 2.0, dtype=torch.float64))
    z = np.exp(1j * np.array([[0.0, 0.3], [1.5, np.pi]]))
    K = impulse_response(system, 400).numpy()
    expected = (K[..., None, None, :] * z[..., None] ** -np.arange(400.0)).sum(-1)
    np.testing.assert_allclose(transfer_function(system, torch.from_numpy(z)), expected, **TOL)


def test_a_single_point_gives_a_value_without_point_axes(case):
    one = transfer_function(case.system, 2j)
    np.testing.assert_array_equal(one, transfer_function(case.system, torch.tensor([2j]))[..., 0])


def test_points_in_parts_equal_points_at_once(case, monkeypatch):
    times, points = torch.from_numpy(TIMES), torch.from_numpy(POINTS)
    at_once = step_response(case.system, times), transfer_function(case.system, points)
    monkeypatch.setattr("resolvent.analysis.response.BUDGET", 1)
    monkeypatch.setattr("resolvent.analysis.frequency.BUDGET", 1)
    in_parts = step_response(case.system, times), transfer_function(case.system, points)
    torch.testing.assert_close(in_parts, at_once, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("n", [16, 64])
def test_the_kernels_of_legs_are_warped_legendre(n):
    """HTTYH corollary 3.3: e^(tA) B is the basis, to the accuracy of the matrix exponential."""
    legs = hippo.legs(n)
    t = np.linspace(0, 6, 25)
    eye = torch.eye(n, dtype=torch.float64)[None]
    system = Continuous(
        Dense(torch.from_numpy(legs.A)[None]),
        torch.from_numpy(legs.B)[None, :, None],
        eye,
        torch.zeros(1, 1, dtype=torch.float64),
        mimo=True,
    )
    found = impulse_response(system, torch.from_numpy(t))[0, :, 0]
    np.testing.assert_allclose(found.T, hippo.basis("legs", n, t), atol=1e-8)


def test_float32_parameters_are_discretised_in_float64(case):
    def coarsen(x):
        return x.to(torch.complex64 if x.is_complex() else torch.float32)

    s = case.system
    coarse = replace(s, A=s.A.map(coarsen), B=coarsen(s.B), C=coarsen(s.C), D=coarsen(s.D))
    dt = torch.full((2, 1), 1e-4)
    system = coarse.discretize(discretize.zoh, dt)
    exact = in_double(coarse).discretize(discretize.zoh, dt.double())
    assert system.B.dtype in (torch.float32, torch.complex64)
    torch.testing.assert_close(impulse_response(system, 5), impulse_response(exact, 5))
    assert impulse_response(system, 5).dtype == torch.float64
    assert kernel(system, 5).dtype == torch.float32


def test_what_does_not_suit_is_refused(case):
    discrete = case.system.discretize(discretize.zoh, torch.ones(2, 1, dtype=torch.float64))
    with pytest.raises(TypeError, match="takes times"):
        impulse_response(case.system, 10)
    with pytest.raises(TypeError, match="number of steps"):
        step_response(discrete, torch.tensor([1.0]))
    with pytest.raises(ValueError, match="at least 1"):
        impulse_response(discrete, 0)
    with pytest.raises(ValueError, match="none negative"):
        step_response(case.system, torch.tensor([-1.0]))


def test_a_head_whose_channels_skip_differently_has_no_single_response():
    x = torch.ones(1, 2, dtype=torch.float64)
    system = Invariant.of(
        Dense(torch.eye(2, dtype=torch.float64)[None] / 2), x, x, torch.tensor([[1.0, 2.0]])
    )
    with pytest.raises(ValueError, match="different skips"):
        impulse_response(system, 3)
    one = replace(system, D=system.D[:, :1])
    torch.testing.assert_close(impulse_response(one, 3)[0], torch.tensor([3.0, 1.0, 0.5]).double())


@pytest.mark.parametrize("length", [1, 3, 50])
def test_slow_modes_of_low_rank_systems_keep_their_digits(length):
    """Powers of A that have not decayed by the end of the kernel: steps of 1e-5 to 1e-4."""
    torch.manual_seed(0)
    layer = S4(3, d_state=32, init="fout", dt_min=1e-5, dt_max=1e-4).double()
    system = layer.system()
    parts = (system.A.values, system.A.P, system.A.Q, system.B, system.C)
    expected = np.stack(
        [
            oracle.impulse_response(
                oracle.real_dplr(values, P, Q),
                oracle.real_input(B[:, None]),
                oracle.real_output(C[None]),
                length,
            )[0, 0]
            for values, P, Q, B, C in zip(*(x.detach().numpy() for x in parts), strict=True)
        ]
    )
    found = kernel(system, length).detach().numpy()
    # of the resolvent on the unit circle itself the error would be 1e-10
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.abs(expected).max())
