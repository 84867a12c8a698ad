"""Every value of every option runs, trains a step, and is the system it says, by the oracle."""

import inspect

import numpy as np
import pytest
import torch

import oracle
from execute.systems import dense_matrix, each
from layers.cases import EXECUTIONS, OPTIONS, PLAIN, SELECTIVE, selective_options
from resolvent import layers
from resolvent.contract import PROMISES, Subject, tolerance

D_MODEL = 4
EVERY = {**OPTIONS, **selective_options()}
WITH_KERNEL = [name for name, make in PLAIN.items() if issubclass(make.func, layers.InvariantLayer)]
KERNEL = tolerance(torch.float64, "kernel").bound


def test_every_registered_layer_is_tested():
    assert set(layers.ALL.values()) == {*EXECUTIONS, *SELECTIVE}


def test_every_option_is_varied():
    tried = {(make.func, option) for make in EVERY.values() for option in make.keywords}
    for layer in layers.ALL.values():
        for option in list(inspect.signature(layer).parameters)[1:]:
            assert (layer, option) in tried, f"{layer.__name__}: {option} is never varied"


@pytest.mark.parametrize("name", EVERY)
def test_option_trains(name):
    torch.manual_seed(1)
    layer = EVERY[name](D_MODEL)
    u, target = torch.randn(2, 2, 40, D_MODEL)
    before = {key: x.detach().clone() for key, x in layer.named_parameters()}
    optimiser = torch.optim.Adam(layer.parameters(), lr=1e-4)
    losses = []
    for _ in range(5):
        loss = (layer(u)[0] - target).square().mean()
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    for key, x in layer.named_parameters():
        assert x.grad is not None and torch.isfinite(x.grad).all(), key
        # a single state is real: its frequency, and a skew part of one entry, are 0 by symmetry
        if EVERY[name].keywords.get("d_state") != 1 or key not in ("frequency", "S"):
            assert not torch.equal(x, before[key]), f"{key} did not move"
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("name", EVERY)
def test_option_keeps_the_promises(name):
    subject = Subject(EVERY[name], D_MODEL)
    names = ["packed is separate", "padded is separate"]
    if subject.causal:
        names += ["forward is the loop of step", "any split carries the state"]
        if not isinstance(EVERY[name].keywords.get("execution"), str):
            names += ["everything at once"]
    if name in OPTIONS and "execution" not in OPTIONS[name].keywords:
        names += ["dt scales the step size"]
    for promise in (PROMISES[x] for x in names):
        assert promise.check(subject, 2, 70) <= promise.tolerance.bound, promise.meaning


def dense_kernel(layer, length):
    """The kernel of a layer by the oracle: continuous matrices, discretised and multiplied out."""
    system = layer.continuous()
    A, B, C = dense_matrix(system.A), system.B.detach().numpy(), system.C.detach().numpy()
    if not system.mimo:
        B, C = B[..., :, None], C[..., None, :]
    dt = layer.step_size().detach().numpy()
    if system.A.dtype.is_complex:
        B, C = each(oracle.real_input, B), each(oracle.real_output, C)
        dt = np.concatenate([dt, dt], 1) if dt.shape[1] > 1 else dt
    heads = len(B)
    A = np.broadcast_to(A, (heads, *A.shape[1:]))
    dt = np.broadcast_to(dt, (heads, dt.shape[1]))
    responses = []
    for m in range(heads):
        step = dt[m] if len(dt[m]) > 1 else dt[m, 0]
        a, b = oracle.discretise(layer.rule.__name__, A[m], B[m], step)
        responses.append(oracle.impulse_response(a, b, C[m], length))
    return responses[0] if system.mimo else np.stack([x[0, 0] for x in responses])


def relative(found, expected):
    return np.abs(found.detach().numpy() - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize("name", OPTIONS)
def test_kernel_is_the_dense_impulse_response(name):
    layer = Subject(OPTIONS[name], D_MODEL).layer
    for length in (1, 100):
        assert relative(layer.kernel(length), dense_kernel(layer, length)) <= KERNEL


@pytest.mark.parametrize("name", sorted(layers.INVARIANT))
@pytest.mark.parametrize("length", [1, 1021, 2048])
def test_kernel_at_default_size_and_long(name, length):
    layer = layers.ALL[name](2).double()
    assert relative(layer.kernel(length), dense_kernel(layer, length)) <= KERNEL


@pytest.mark.parametrize("name", WITH_KERNEL)
def test_kernel_refuses_no_length(name):
    with pytest.raises(ValueError, match="length: must be at least 1, got 0"):
        PLAIN[name](2).kernel(0)


@pytest.mark.parametrize("name", WITH_KERNEL)
def test_irregular_time_is_the_oracle(name):
    layer = Subject(PLAIN[name], D_MODEL).layer
    b, length = 2, 9
    u, dt = torch.randn(b, length, D_MODEL).double(), torch.rand(b, length).double() * 2 + 0.1
    with torch.no_grad():
        y, _ = layer(u, dt=dt)
    system = layer.continuous()
    A, B, C = dense_matrix(system.A), system.B.detach().numpy(), system.C.detach().numpy()
    if not system.mimo:
        B, C = B[..., :, None], C[..., None, :]
    sizes = layer.step_size().detach().numpy()
    if system.A.dtype.is_complex:
        B, C = each(oracle.real_input, B), each(oracle.real_output, C)
        sizes = np.concatenate([sizes, sizes], 1) if sizes.shape[1] > 1 else sizes
    heads = len(B)
    A = np.broadcast_to(A, (heads, *A.shape[1:]))
    pairs = [
        [
            [
                oracle.discretise(
                    layer.rule.__name__,
                    A[m],
                    B[m],
                    float(dt[i, t]) * np.broadcast_to(sizes, (heads, sizes.shape[1]))[m],
                )
                for m in range(heads)
            ]
            for t in range(length)
        ]
        for i in range(b)
    ]
    A_t = np.array([[[pair[0] for pair in row] for row in rows] for rows in pairs])
    B_t = np.array([[[pair[1] for pair in row] for row in rows] for rows in pairs])
    D = system.D.detach().numpy()
    x = u.numpy().reshape(b, length, *D.shape)
    expected, _, _ = oracle.simulate(A_t, B_t, C, D, x, mimo=system.mimo)
    assert (
        relative(y, expected.reshape(b, length, D_MODEL)) <= tolerance(torch.float64, "value").bound
    )


@pytest.mark.parametrize("name", ["S4", "LSSL", "S5"])
def test_twice_the_step_size_is_exact_for_held_inputs_by_zero_order_hold(name):
    layer = layers.ALL[name](D_MODEL, rule="zoh").double()
    u = torch.randn(2, 50, D_MODEL).double().repeat_interleave(2, 1)
    half = u[:, 1::2]
    with torch.no_grad():
        y = layer(u)[0][:, 1::2]
        found = layer(half, dt=torch.full(half.shape[:2], 2.0))[0]
    assert relative(found, y.numpy()) <= tolerance(torch.float64, "value").bound
