"""Memory lengths against kernels that are written out, and closed forms where they cannot be."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from resolvent import discretize
from resolvent.analysis import kernel, memory_length
from resolvent.layers import INVARIANT
from resolvent.structure import Dense, Diagonal, Scalar
from resolvent.system import Continuous, Invariant


def by_definition(K, fraction):
    """The least L whose energy reaches the fraction: K (..., l) that has died out."""
    energy = np.cumsum(K**2, -1)
    return (energy < fraction * energy[..., -1:]).sum(-1) + 1


def decaying(rate, structure=Diagonal):
    """K_k = e^(-rate k)."""
    one = torch.ones(1, 1, dtype=torch.float64)
    A = {
        Diagonal: Diagonal(-rate * one),
        Scalar: Scalar(-rate * one[0], 1),
        Dense: Dense(-rate * one[None]),
    }[structure]
    return Continuous(A, one, one, one).discretize(discretize.mixed, one)


@pytest.mark.parametrize("fraction", [0.5, 0.9, 0.99])
def test_memory_is_what_its_definition_says(case, fraction):
    system = case.system.discretize(discretize.zoh, torch.tensor([[0.2], [0.5]]).double())
    K = kernel(system, 400).numpy()
    energy_of = np.sqrt((K**2).sum(2)) if system.mimo else K
    expected = by_definition(energy_of, fraction)
    np.testing.assert_array_equal(memory_length(system, fraction), expected)


@pytest.mark.parametrize("structure", [Scalar, Diagonal, Dense])
@given(rate=st.floats(1e-9, 3), fraction=st.floats(0.01, 0.9999))
def test_memory_of_one_exponential(structure, rate, fraction):
    exact = math.log1p(-fraction) / (-2 * rate)
    found = float(memory_length(decaying(rate, structure), fraction))
    # the rounding of thirty squarings, and one step where L is a whole number
    assert exact * (1 - 1e-5) <= found <= exact * (1 + 1e-5) + 1
    assert found == int(found)


def test_rounding_to_float32_does_not_shorten_a_long_memory():
    system = decaying(1e-8)
    coarse = Continuous(
        Diagonal(torch.tensor([[-1e-8]])), *(torch.ones(1, 1) for _ in range(3))
    ).discretize(discretize.mixed, torch.ones(1, 1))
    assert float(coarse.A.values) == 1.0  # in float32 the decay is lost
    assert float(memory_length(coarse)) == pytest.approx(float(memory_length(system)), rel=1e-6)


def test_a_kernel_that_does_not_decay_has_no_end_and_a_zero_kernel_no_length():
    values = torch.tensor([[1.0], [1.5], [-1.0], [0.5], [0.5]], dtype=torch.float64)
    C = torch.tensor([[1.0], [1.0], [1.0], [0.0], [1.0]], dtype=torch.float64)
    system = Invariant.of(Diagonal(values), torch.ones_like(C), C, torch.zeros_like(C))
    assert memory_length(system).tolist() == [math.inf, math.inf, math.inf, 0, 4]


def test_heads_in_parts_equal_heads_at_once(case, monkeypatch):
    system = case.system.discretize(discretize.zoh, torch.tensor([[0.2], [0.5]]).double())
    at_once = memory_length(system)
    monkeypatch.setattr("resolvent.analysis.memory.BUDGET", 1)
    assert torch.equal(memory_length(system), at_once)


@pytest.mark.parametrize("name", INVARIANT)
def test_every_layer_has_a_memory(name):
    layer = INVARIANT[name](d_model=3, d_state=8)
    found = memory_length(layer.system(), 0.9)
    assert found.numel() == 3 and bool((found >= 1).all() & torch.isfinite(found).all())


def test_what_has_no_memory_is_refused():
    with pytest.raises(ValueError, match="strictly between"):
        memory_length(decaying(1.0), 1.0)
    layer = INVARIANT["S4D"](d_model=2, d_state=4)
    with pytest.raises(TypeError, match="implied_attention"):
        memory_length(layer.system(None, torch.ones(1, 3)))
