"""Precomputed steps equal the layers they come from, in real arithmetic and with their states."""

from __future__ import annotations

import pytest
import torch

from kernels.kernel_cases import every_backend
from resolvent.kernels import using
from resolvent.layers import INVARIANT, S4, S4D, S5, Bidirectional, InvariantLayer
from resolvent.layers.recurrence import Recurrence
from resolvent.layers.state import State
from resolvent.structure import Diagonal
from resolvent.system import Continuous

# sums of at most a few hundred terms of order one in float64
TOLERANCE = {"rtol": 1e-10, "atol": 1e-10}
CASES = [
    *(pytest.param(layer, {}, id=name) for name, layer in INVARIANT.items()),
    pytest.param(S5, {"d_state": 7}, id="S5-odd"),
    pytest.param(S4D, {"rule": "bilinear"}, id="S4D-bilinear"),
    pytest.param(S4, {"init": "fout"}, id="S4-rank-2"),
    pytest.param(S4, {"rule": "zoh"}, id="S4-zoh-is-dense"),
]


@pytest.mark.parametrize(("layer", "options"), CASES)
def test_steps_equal_the_layer_and_share_its_states(layer, options):
    layer = layer(5, **{"d_state": 8, **options}).double()
    recurrence = Recurrence(layer)
    u = torch.randn(3, 8, 5, dtype=torch.float64)
    y, last = layer(u)
    state = recurrence.initial_state(3)
    for t in range(4):
        y_t, state = recurrence(u[:, t], state)
        torch.testing.assert_close(y_t, y[:, t], **TOLERANCE)
    for t in range(4, 6):  # the layer continues what the recurrence began, and the other way round
        y_t, state = layer.step(u[:, t], state)
        torch.testing.assert_close(y_t, y[:, t], **TOLERANCE)
    for t in range(6, 8):
        y_t, state = recurrence.step(u[:, t], state)
        torch.testing.assert_close(y_t, y[:, t], **TOLERANCE)
    torch.testing.assert_close(state, last, **TOLERANCE)


@every_backend
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("layer", [S4D, S5])
def test_a_step_of_one_call_is_the_step_of_torch(layer, dtype, backend):
    recurrence = Recurrence(layer(7, d_state=10)).to(dtype)
    u, h = torch.randn(3, 7, dtype=dtype), torch.randn_like(recurrence.initial_state(3).h)
    kept = h.clone()
    with using(backend):
        y, after = recurrence(u, State(h))
        strided = recurrence(u.mT.contiguous().mT, State(h.mT.contiguous().mT))
    with using("torch"):
        expected = recurrence(u, State(h))
    torch.testing.assert_close((y, after), expected)
    torch.testing.assert_close(strided, expected)
    assert torch.equal(h, kept)  # a state is a value


def test_gradients_pass_through_a_step():
    recurrence = Recurrence(S5(4, d_state=6)).double()
    h = recurrence.initial_state(2).h
    u = torch.randn(2, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda u: recurrence(u, State(h))[0], u)


@pytest.mark.parametrize(("layer", "options"), CASES)
def test_exported_steps_have_no_complex_numbers(layer, options):
    recurrence = Recurrence(layer(5, **{"d_state": 8, **options}))
    arguments = (torch.randn(2, 5), recurrence.initial_state(2))
    program = torch.export.export(recurrence, arguments)
    values = [node.meta["val"] for node in program.graph.nodes if "val" in node.meta]
    tensors = [v for v in values if isinstance(v, torch.Tensor)]
    assert len(tensors) > 5 and not any(v.is_complex() for v in tensors)
    torch.testing.assert_close(program.module()(*arguments), recurrence(*arguments))


class Heads(InvariantLayer):
    """Two dense heads of three channels, or two single-output ones."""

    def __init__(self, mimo: bool):
        super().__init__(6, "zoh")
        self.declare("rate", -torch.rand(2, 4) - 0.5)
        self.declare("B", torch.randn(2, 4, 3) if mimo else torch.randn(2, 4))
        self.declare("C", torch.randn(2, 3, 4) if mimo else torch.randn(2, 4))
        self.declare("D", torch.randn(2, 3))
        self.mimo = mimo

    def continuous(self) -> Continuous:
        A = Diagonal(torch.complex(self.rate, self.rate.cos()))
        B, C = (torch.complex(x, x.sin()) for x in (self.B, self.C))
        return Continuous(A, B, C, self.D, mimo=self.mimo)

    def step_size(self) -> torch.Tensor:
        return self.rate.new_full((2, 1), 0.1)


def test_several_dense_heads():
    layer = Heads(mimo=True).double()
    recurrence, state = Recurrence(layer), layer.initial_state(3)
    u = torch.randn(3, 4, 6, dtype=torch.float64)
    y, _ = layer(u)
    for t in range(4):
        y_t, state = recurrence(u[:, t], state)
        torch.testing.assert_close(y_t, y[:, t], **TOLERANCE)


def test_states_follow_device_and_dtype():
    recurrence = Recurrence(S5(4, d_state=6))
    assert recurrence.initial_state(2).h.shape == S5(4, d_state=6).initial_state(2).h.shape
    assert recurrence.initial_state(2, dtype=torch.float64).h.dtype == torch.float64
    assert recurrence.double().initial_state(0).h.dtype == torch.float64


def test_what_has_no_constants_is_refused():
    with pytest.raises(TypeError, match="expected an invariant layer .* got Bidirectional"):
        Recurrence(Bidirectional(S4D(4, d_state=4), S4D(4, d_state=4)))

    class Gated(S4D):
        def finish(self, y, prepared):
            return super().finish(y, prepared).tanh()

    with pytest.raises(TypeError, match="got Gated"):
        Recurrence(Gated(4, d_state=4))
    with pytest.raises(TypeError, match="share a system between channels"):
        Recurrence(Heads(mimo=False))
    recurrence = Recurrence(S4D(4, d_state=4))
    with pytest.raises(ValueError, match="dt: the step size is built in"):
        recurrence(torch.zeros(1, 4), recurrence.initial_state(1), dt=torch.ones(1))
