"""The implied attention matrix against products of dense matrices."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import oracle
from resolvent import discretize
from resolvent.analysis import implied_attention
from resolvent.structure import Diagonal
from resolvent.system import Varying

TOL = dict(rtol=1e-10, atol=1e-10)


def test_of_an_invariant_system_it_is_the_toeplitz_matrix_of_the_kernel(case):
    system = case.system.discretize(discretize.zoh, torch.full((2, 1), 0.3, dtype=torch.float64))
    M = implied_attention(system, 6).numpy()
    for head in range(2):
        A, B = oracle.discretise("zoh", case.A[head], case.B[head], 0.3)
        K = oracle.impulse_response(A, B, case.C[head], 6)
        for i in range(6):
            for j in range(6):
                expected = K[..., i - j] if i >= j else np.zeros(K.shape[:2])
                found = M[head, ..., i, j]
                np.testing.assert_allclose(
                    found, expected if case.system.mimo else expected[0, 0], **TOL
                )


def test_of_a_varying_system_it_multiplies_the_matrices_between(case):
    dt = 0.1 + torch.rand(2, 5, 2, 1, dtype=torch.float64)
    M = implied_attention(case.system.discretize_each(discretize.zoh, dt)).numpy()
    for row, head in np.ndindex(2, 2):
        pairs = [
            oracle.discretise("zoh", case.A[head], case.B[head], float(dt[row, t, head, 0]))
            for t in range(5)
        ]
        for j in range(5):
            X = pairs[j][1]
            for i in range(j, 5):
                X = X if i == j else pairs[i][0] @ X
                expected = case.C[head] @ X
                found = M[row, head, ..., i, j]
                np.testing.assert_allclose(
                    found, expected if case.system.mimo else expected[0, 0], **TOL
                )
    assert np.all(np.triu(M, 1) == 0)


def test_an_output_map_that_varies_takes_part():
    a, b, c = torch.rand(3, 1, 4, 1, 1, dtype=torch.float64)
    system = Varying.of(Diagonal(a), b, c, torch.zeros(1, 1, dtype=torch.float64))
    M = implied_attention(system)[0, 0]
    a, b, c = (x.flatten() for x in (a, b, c))
    assert M[3, 1] == pytest.approx(float(c[3] * a[3] * a[2] * b[1]))
    assert M[2, 2] == pytest.approx(float(c[2] * b[2]))


def test_length_is_asked_for_where_it_is_unknown(case):
    system = case.system.discretize(discretize.zoh, torch.ones(2, 1, dtype=torch.float64))
    with pytest.raises(ValueError, match="at least 1 step"):
        implied_attention(system)
    dt = torch.ones(1, 5, 2, 1, dtype=torch.float64)
    with pytest.raises(ValueError, match="varies over 5 steps"):
        implied_attention(case.system.discretize_each(discretize.zoh, dt), 4)
