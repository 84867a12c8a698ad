"""Every layer that is linear in its state, in one form: dense (A_t, B_t, C_t) in float64."""

import pytest
import torch

from layers.cases import PLAIN
from resolvent.analysis import implied_attention, in_double
from resolvent.contract import Subject
from resolvent.execute import run
from resolvent.layers import Layer, Timing
from resolvent.layers.nonlinear import NonlinearLayer
from resolvent.system import Varying

LINEAR = [name for name, make in PLAIN.items() if issubclass(make.func, Layer)]
D, STEPS = 4, 6
# products of a few small matrices in float64
EQUAL = {"rtol": 1e-10, "atol": 1e-10}


@pytest.fixture(params=LINEAR)
def prepared(request):
    subject = Subject(PLAIN[request.param], D)
    u = subject.inputs(2, STEPS)
    dt = torch.rand(2, STEPS, generator=subject.random()).double() + 0.5
    with torch.no_grad():
        return subject.layer.prepare(u, (), Timing(dt=dt))


def test_dense_matrices_simulate_the_system(prepared):
    system, x = prepared.system, prepared.x
    y, _ = run(system, x)
    A, B, C, D = in_double(system).dense()

    def at(M, t):
        return M[:, t] if M.ndim > 3 else M

    drives = x if system.writes else x[..., None] if system.mimo else x[..., None, :]
    h = torch.zeros(len(x), drives.shape[2], A.shape[-1], drives.shape[-1]).double()
    for t in range(STEPS):
        h = at(A, t) @ h + at(B, t) @ drives[:, t]
        now = (at(C, t) @ h).flatten(2)
        torch.testing.assert_close(system.skip(now, x[:, t]), y[:, t], **EQUAL)


def test_the_implied_attention_is_the_system(prepared):
    system, x = prepared.system, prepared.x
    y, _ = run(system, x)
    M = implied_attention(system, STEPS)
    form = "mqpij,bjmp->bimq" if system.mimo else "mij,bjmp->bimp"
    if system.writes:
        form = "mrij,bjmrp->bimp"
    if isinstance(system, Varying):
        form = "b" + form
    torch.testing.assert_close(system.skip(torch.einsum(form, M, x), x), y, **EQUAL)


def test_every_layer_with_a_recurrence_has_a_system():
    for name, make in PLAIN.items():
        if issubclass(make.func, Layer | NonlinearLayer):
            layer = make(D)
            assert layer.system(torch.randn(1, 3, D)).A.dense().shape[-1] > 0, name
