"""The scenario of tokens is read off the maps of a selective layer."""

import pytest
import torch

from resolvent.analysis import token_dynamics
from resolvent.layers import OrientedMamba


@pytest.mark.parametrize(("n", "d"), [(3, 10), (4, 5), (1, 1)])
def test_eigenvalues_are_those_of_the_symmetric_part(n, d):
    S_B, S_C = torch.randn(2, n, d).double()
    found = token_dynamics(S_B, S_C)
    whole = S_C.T @ S_B
    expected = torch.linalg.eigvalsh((whole + whole.T) / 2)
    if d > 2 * n:  # the others are 0
        expected = torch.cat([expected[:n], expected[-n:]])
    torch.testing.assert_close(found.eigenvalues, expected, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(found.channels, whole.diagonal(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("dynamics", "positive"), [("positive", 5), ("negative", 0), ("mixed", 3)])
def test_oriented_layers_are_in_the_scenario_that_they_say(dynamics, positive):
    layer = OrientedMamba(8, 5, dynamics)
    S_B, S_C = (x.double() for x in layer.selection_maps())
    values = torch.linalg.eigvalsh(S_C.T @ S_B)
    assert int((values > 1e-6).sum()) == positive
    assert int((values < -1e-6).sum()) == 5 - positive
    assert token_dynamics(S_B, S_C).divergent == (positive > 0)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="S_B, S_C: expected equal shapes"):
        token_dynamics(torch.ones(2, 3), torch.ones(3, 2))
