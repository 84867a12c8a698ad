"""Every layer that is linear in its state, in one form: dense (A_t, B_t, C_t) in float64."""

import pytest
import torch

from layers.cases import PLAIN
from resolvent.analysis import implied_attention, in_double
from resolvent.contract import Subject
from resolvent.execute import run
from resolvent.layers import Layer, Timing
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


def with_channels(x):
    """Inputs (b, l, m, p) of a system, of which one channel a head may be without its axis."""
    return x if x.ndim > 3 else x[..., None]


def test_dense_matrices_simulate_the_system(prepared):
    system, x = prepared.system, with_channels(prepared.x)
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
    system, x = prepared.system, with_channels(prepared.x)
    y, _ = run(system, x)
    M = implied_attention(system, STEPS)
    form = "mqpij,bjmp->bimq" if system.mimo else "mij,bjmp->bimp"
    if system.writes:
        form = "mrij,bjmrp->bimp"
    if isinstance(system, Varying):
        form = "b" + form
    torch.testing.assert_close(system.skip(torch.einsum(form, M, x), x), y, **EQUAL)


@pytest.mark.parametrize("name", ["H3", "Hyena", "LongConv"])
def test_what_lies_between_gates_is_a_system_of_its_values(name):
    subject = Subject(PLAIN[name], D)
    layer, u, x = subject.layer, subject.inputs(2, STEPS), subject.inputs(2, STEPS)
    with torch.no_grad():
        M, expected = implied_attention(layer.system(u), STEPS), layer(u)[0]
        if name != "LongConv":
            x = layer.in_proj(u)
            x = (x if name == "H3" else layer.conv(x, (), Timing())[0]).chunk(3, -1)[2]
            found = layer.out_proj(torch.einsum("bmij,bjm->bim", M, x))
        else:
            found = torch.einsum("mij,bjm->bim", M, u) + layer.D * u
    torch.testing.assert_close(found, expected, **EQUAL)


def test_every_layer_that_is_linear_in_its_state_has_a_system():
    """A position-wise network has no state, attention's grows, and who reads on has none."""
    without = {name for name in PLAIN if not hasattr(PLAIN[name](D), "system")}
    attention = {"Attention", "sliding Attention", "UniversalTransformer"}
    assert without == {"MLP", "NonCausalSSD", *attention}
    for name in PLAIN.keys() - without:
        assert PLAIN[name](D).system(torch.randn(1, 3, D)).A.dense().shape[-1] > 0, name
