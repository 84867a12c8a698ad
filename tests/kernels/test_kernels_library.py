"""The diagonal kernels as citizens of PyTorch: opcheck, gradcheck, compile, export, autocast."""

from __future__ import annotations

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

from kernels.kernel_cases import decays, every_backend, largest_difference, normal
from resolvent.kernels import diagonal_scan, diagonal_ssm, using

OPS = torch.ops.resolvent


def parameters(m: int = 3, n: int = 2, is_complex: bool = True) -> list[torch.Tensor]:
    a = 0.9 * decays(m, n, is_complex=is_complex)
    rest = [normal(m, n, is_complex=is_complex) for _ in range(2)]
    return [x.requires_grad_() for x in (a, *rest)]


@every_backend
@pytest.mark.parametrize("is_complex", [False, True])
def test_opcheck(backend, is_complex):
    u = normal(2, 70, 3, is_complex=False).requires_grad_()
    h0 = normal(2, 3, 2, is_complex=is_complex).requires_grad_()
    resets, lengths = torch.rand(2, 70) < 0.1, torch.tensor([70, 41])
    inputs = (*parameters(is_complex=is_complex), u)
    with using(backend):
        torch.library.opcheck(
            OPS.diagonal_ssm.default, (*inputs[:3], None, None, u, None, None, None, True)
        )
        d = normal(3, is_complex=False).requires_grad_()
        for dt in (None, torch.rand(3, 1).double().requires_grad_()):
            given = (*inputs[:3], d, dt, u, h0, resets, lengths, False)
            torch.library.opcheck(OPS.diagonal_ssm.default, given)
        a = (0.9 * decays(5, is_complex=is_complex)).requires_grad_()
        x = normal(2, 70, 5, is_complex=is_complex).requires_grad_()
        torch.library.opcheck(OPS.diagonal_scan.default, (a, x, None, resets, lengths))
        h = x.detach()
        torch.library.opcheck(
            OPS.diagonal_scan_backward.default, (a.detach(), h, None, None, None, h, None)
        )
        a, w, _ = inputs[:3]
        torch.library.opcheck(OPS.vandermonde.default, (a, w, 70))


@every_backend
@pytest.mark.parametrize("is_complex", [False, True])
def test_gradcheck(backend, is_complex):
    u = normal(2, 19, 3, is_complex=False).requires_grad_()
    h0 = normal(2, 3, 2, is_complex=is_complex).requires_grad_()
    resets, lengths = torch.rand(2, 19) < 0.1, torch.tensor([19, 11])
    with using(backend):
        inputs = (*parameters(is_complex=is_complex), u, h0, resets, lengths)
        assert torch.autograd.gradcheck(diagonal_ssm, inputs)
        a = (0.9 * decays(2, 19, 3, is_complex=is_complex)).requires_grad_()
        x = normal(2, 19, 3, is_complex=is_complex).requires_grad_()
        inputs = (a, x, h0[:, :, 0].detach().requires_grad_(), resets, lengths)
        assert torch.autograd.gradcheck(diagonal_scan, inputs)


class Layer(torch.nn.Module):
    """Both ops behind one another."""

    def __init__(self):
        super().__init__()
        for name, value in zip("abc", parameters(3, 4), strict=True):
            self.register_parameter(name, torch.nn.Parameter(torch.view_as_real(value.detach())))

    def forward(self, u: torch.Tensor) -> torch.Tensor:
        a, b, c = (torch.view_as_complex(x) for x in (self.a, self.b, self.c))
        y, h = diagonal_ssm(a, b, c, u)
        states, _ = diagonal_scan(a[:, 0], y.to(h.dtype), h[:, :, 0])
        return states.real


def test_compile_whole():
    layer, u = Layer(), normal(2, 70, 3, is_complex=False)
    compiled = torch.compile(layer, fullgraph=True)
    outputs = [f(u) for f in (layer, compiled)]
    assert largest_difference(outputs[:1], outputs[1:]) < 1e-12
    weight = torch.randn_like(outputs[0])
    grads = [torch.autograd.grad((y * weight).sum(), list(layer.parameters())) for y in outputs]
    assert largest_difference(*map(list, grads)) < 1e-12


def test_export_with_free_sizes(tmp_path):
    layer = Layer()
    b, l = torch.export.Dim("b", min=1), torch.export.Dim("l", min=1)
    example = normal(2, 70, 3, is_complex=False)
    program = torch.export.export(layer, (example,), dynamic_shapes={"u": {0: b, 1: l}})
    assert [x.target for x in program.graph.nodes if "resolvent" in str(x.target)] == [
        OPS.diagonal_ssm.default,
        OPS.diagonal_scan.default,
    ]
    torch.export.save(program, tmp_path / "layer.pt2")
    loaded = torch.export.load(tmp_path / "layer.pt2").module()
    for size in ((2, 70), (1, 1), (3, 131)):
        u = normal(*size, 3, is_complex=False)
        assert largest_difference([loaded(u)], [layer(u)]) == 0


def test_autocast_leaves_the_recurrence_alone():
    layer, u = Layer().float(), torch.randn(2, 70, 3)
    with torch.autocast("cpu", torch.bfloat16):
        inside = layer(u)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, layer(u))


def test_a_gradient_that_was_not_announced_is_right():
    a, b, c = parameters()
    u = normal(2, 200, 3, is_complex=False)
    grads = []
    for keep in (True, False):
        y = OPS.diagonal_ssm(a, b, c, None, None, u, None, None, None, keep)[0]
        grads.append(torch.autograd.grad(y.square().sum(), (a, b, c)))
    assert largest_difference(*map(list, grads)) == 0


@pytest.mark.filterwarnings("ignore:.*jit.*trace", "ignore::torch.jit.TracerWarning")
def test_those_who_look_at_ops_see_them():
    """Eager calls are made without the dispatcher, but not under what observes or transforms it."""
    a, b, c = (x.detach() for x in parameters())
    u = normal(2, 20, 3, is_complex=False)

    def f(u):
        return diagonal_ssm(a, b, c, u)[0]

    assert any("diagonal_ssm" in str(x.target) for x in make_fx(f)(u).graph.nodes)
    assert "diagonal_ssm" in str(torch.jit.trace(f, u).graph)
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        assert isinstance(f(mode.from_tensor(u)), FakeTensor)
    with torch.profiler.profile() as profile:
        f(u)
    assert any(x.key == "resolvent::diagonal_ssm" for x in profile.key_averages())
    rows = torch.func.vmap(lambda u: f(u[None])[0])(u)
    assert largest_difference([rows], [f(u)]) < 1e-12


def test_backward_over_an_output_changed_in_place_is_refused():
    x = torch.randn(1, 5, 2, requires_grad=True)
    h, _ = diagonal_scan(torch.rand(2, requires_grad=True), x)
    with torch.no_grad():
        h.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        h.sum().backward()
