"""Both directions of time, against each direction run by hand on every segment of every row."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from layers.cases import PLAIN
from resolvent.contract import tolerance
from resolvent.layers import S4D, S5, Bidirectional, NonCausalSSD

BOUND = tolerance(torch.float64, "value").bound


def by_hand(layer, u, dt, resets, lengths):
    """Every segment of every row alone: one layer forward, the other over the flipped segment."""
    b, length = u.shape[:2]
    y = torch.zeros_like(u)
    for row in range(b):
        steps = length if lengths is None else int(lengths[row])
        cuts = [t for t in range(1, steps) if resets is not None and resets[row, t]]
        for start, stop in zip([0, *cuts], [*cuts, steps], strict=True):
            piece = u[row : row + 1, start:stop]
            factors = None if dt is None else dt[row : row + 1, start:stop]
            forward, _ = layer.forward_layer(piece, dt=factors)
            flipped = None if factors is None else factors.flip(1)
            backward, _ = layer.backward_layer(piece.flip(1), dt=flipped)
            y[row, start:stop] = (forward + backward.flip(1))[0]
    return y


@pytest.mark.parametrize("name", ["S4D", "S4", "S5", "LSSL", "DSS"])
@settings(max_examples=8)
@given(
    b=st.integers(1, 3),
    length=st.integers(1, 70),
    seed=st.integers(0, 99),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_both_directions_are_those_run_by_hand(name, b, length, seed, flags):
    torch.manual_seed(seed)
    layer = Bidirectional(PLAIN[name](3), PLAIN[name](3)).double()
    u = torch.randn(b, length, 3).double()
    dt = torch.rand(b, length).double() + 0.5 if flags[0] else None
    resets = torch.rand(b, length) < 0.2 if flags[1] else None
    lengths = torch.randint(0, length + 1, (b,)) if flags[2] else None
    with torch.no_grad():
        y, state = layer(u, dt=dt, resets=resets, lengths=lengths)
        expected = by_hand(layer, u, dt, resets, lengths)
    assert state is None
    assert (y - expected).abs().max() <= BOUND * max(1.0, float(expected.abs().max()))


def test_the_directions_are_two_layers():
    layer = Bidirectional(S4D(3), S4D(3))
    assert not torch.equal(layer.forward_layer.C, layer.backward_layer.C)
    assert not layer.causal


def test_widths_must_agree():
    with pytest.raises(ValueError, match="backward_layer: d_model is 4, expected 3"):
        Bidirectional(S4D(3), S5(4))


def test_the_layers_must_be_causal():
    with pytest.raises(ValueError, match="backward_layer: expected a causal layer; NonCausalSSD"):
        Bidirectional(S4D(4), NonCausalSSD(4))


def test_there_is_no_state():
    layer = Bidirectional(S4D(3, 4), S4D(3, 4))
    u = torch.randn(1, 5, 3)
    with pytest.raises(ValueError, match="state: Bidirectional reads the future"):
        layer(u, S4D(3, 4).initial_state(1))
    assert not hasattr(layer, "step")
