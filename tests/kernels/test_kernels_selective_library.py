"""The selective scan and the short convolution as citizens of PyTorch, and their precision."""

from __future__ import annotations

import pytest
import torch

from kernels.kernel_cases import BACKENDS, every_backend, largest_difference
from resolvent.kernels import Selective, selective_scan, short_convolution, using
from resolvent.kernels.convolution import convolution_reference
from resolvent.kernels.selective import selective_reference

OPS = torch.ops.resolvent
MARKS = (torch.arange(140).view(2, 70) % 31 == 7, torch.tensor([70, 41]))


def tensors(b=2, l=70, m=4, n=3, g=2, dtype=torch.float64):
    """u, dt, A, B, C, D, bias, z, h0, all with gradients."""
    shapes = [(b, l, m)] * 2, [(b, l, g, n)] * 2, [(m,)] * 2, [(b, l, m), (b, m, n)]
    series, maps, sizes, rest = ([torch.randn(s, dtype=dtype) for s in group] for group in shapes)
    A = -torch.rand(m, n, dtype=dtype)
    return [x.requires_grad_() for x in (*series, A, *maps, *sizes, *rest)]


def scan(u, dt, A, B, C, D, bias, z, h0, resets=None, lengths=None, op=selective_scan):
    return op(Selective(A, B, C, dt, D, bias), u, h0, resets, lengths, gate=z)


def filters(b=2, l=70, d=4, w=3):
    """x, weight, bias, tail, all with gradients."""
    shapes = ((b, l, d), (d, w), (d,), (b, w - 1, d))
    return [torch.randn(s, dtype=torch.float64).requires_grad_() for s in shapes]


@every_backend
def test_opcheck(backend):
    u, dt, A, B, C, D, bias, z, h0 = tensors()
    with using(backend):
        op = OPS.selective_scan.default
        torch.library.opcheck(op, (u, dt, A, B, C, D, bias, z, h0, *MARKS, True))
        torch.library.opcheck(op, (u, dt.abs(), A, B, C, *[None] * 6, False))
        x, weight, bias, tail = filters()
        op = OPS.short_convolution.default
        torch.library.opcheck(op, (x, weight, bias, tail, *MARKS, True))
        torch.library.opcheck(op, (x, weight, None, None, None, None, False))


@every_backend
def test_gradcheck(backend):
    marks = (torch.tensor([[False, True, False]] * 2), torch.tensor([3, 2]))
    with using(backend):
        assert torch.autograd.gradcheck(scan, (*tensors(l=3, n=2), *marks))
        assert torch.autograd.gradcheck(short_convolution, (*filters(l=3), *marks))


@every_backend
def test_only_one_output_has_a_gradient(backend):
    for op, reference, inputs in (
        (scan, lambda *x: scan(*x, op=selective_reference), tensors(l=67)),
        (short_convolution, convolution_reference, filters(l=67)),
    ):
        for which in (0, 1):
            grads = []
            for f in (op, reference):
                with using(backend):  # forward and backward alike
                    loss = f(*inputs)[which].square().sum()
                    grads.append(
                        torch.autograd.grad(loss, inputs, allow_unused=True, materialize_grads=True)
                    )
            assert largest_difference(*map(list, grads)) < 1e-10


class Layer(torch.nn.Module):
    """Both ops behind one another."""

    def __init__(self):
        super().__init__()
        _, _, A, _, _, D, bias, *_ = tensors(g=1)
        _, weight, *_ = filters()
        self.A, self.D, self.bias, self.weight = map(torch.nn.Parameter, (A, D, bias, weight))

    def forward(self, u):
        x, tail = short_convolution(u, self.weight, silu=True)
        system = Selective(self.A, x[..., None, :3], u[..., None, 1:], u, self.D, self.bias)
        y, h = selective_scan(system, x, gate=u)
        return y + h.sum(-1)[:, None] + tail.sum()


def test_compile_whole():
    layer, u = Layer(), torch.randn(2, 70, 4, dtype=torch.float64)
    outputs = [f(u) for f in (layer, torch.compile(layer, fullgraph=True))]
    assert largest_difference(outputs[:1], outputs[1:]) < 1e-12
    grads = [torch.autograd.grad(y.square().sum(), list(layer.parameters())) for y in outputs]
    assert largest_difference(*map(list, grads)) < 1e-12


def test_export_with_free_sizes():
    layer = Layer()
    b, l = torch.export.Dim("b", min=1), torch.export.Dim("l", min=1)
    example = torch.randn(2, 70, 4, dtype=torch.float64)
    program = torch.export.export(layer, (example,), dynamic_shapes={"u": {0: b, 1: l}}).module()
    for size in ((2, 70), (1, 1), (3, 131)):
        u = torch.randn(*size, 4, dtype=torch.float64)
        assert largest_difference([program(u)], [layer(u)]) == 0


@every_backend
def test_dtypes_are_promoted(backend):
    with using(backend):
        for dtype in (torch.bfloat16, torch.float16):
            inputs = [x.detach().to(dtype) for x in tensors(g=1)]
            outputs = scan(*inputs)
            assert {x.dtype for x in outputs} == {torch.float32}
            wide = scan(*(x.float() for x in inputs))
            assert all(torch.equal(x, y) for x, y in zip(outputs, wide, strict=True))
        mixed = tensors(dtype=torch.float32)
        assert scan(mixed[0].double(), *mixed[1:])[0].dtype == torch.float64
        x, weight, *_ = filters()
        assert short_convolution(x.half(), weight.float())[0].dtype == torch.float32


def outputs_and_gradients(op, inputs):
    leaves = [x.detach().requires_grad_() for x in inputs]
    y, h = scan(*leaves, op=op)
    weight = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
    return [y, h, *torch.autograd.grad((y * weight).sum(), leaves)]


@every_backend
def test_gradients_of_bfloat16_are_those_of_float32_rounded(backend):
    with using(backend):
        half = [x.detach().bfloat16() for x in tensors(g=1)]
        _, _, *grads = outputs_and_gradients(selective_scan, half)
        _, _, *wide = outputs_and_gradients(selective_scan, [x.float() for x in half])
        assert all(torch.equal(x, y.bfloat16()) for x, y in zip(grads, wide, strict=True))


@every_backend
@pytest.mark.parametrize("m", [1, 37, 128, 300])
@pytest.mark.parametrize("narrow", [(0,), (1,), (7,), (0, 1, 7)])
def test_bfloat16_series_are_read_and_written_as_if_widened(backend, m, narrow):
    """Bit by bit: u, dt and z apart and together, at the ends of vectors, ribbons and rows."""
    torch.manual_seed(m)
    inputs = [x.detach() for x in tensors(2, 70, m, 3, 1, torch.float32)]
    inputs[0][0, 0, 0], inputs[0][1, 0, 0] = 3e38, torch.nan  # one rounds to no finite number

    def results(widened):
        given = [x.bfloat16() if i in narrow else x for i, x in enumerate(inputs)]
        leaves = [x.requires_grad_() for x in given]
        y, h = scan(*[x.float() if widened else x for x in leaves] + [*MARKS])
        weight = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
        return [y, h, *torch.autograd.grad((y * weight).sum(), leaves)]

    with using(backend):
        for x, y in zip(results(False), results(True), strict=True):
            assert x.dtype == y.dtype
            torch.testing.assert_close(x, y, rtol=0, atol=0, equal_nan=True)


@every_backend
def test_opcheck_of_bfloat16_series(backend):
    inputs = [x.detach() for x in tensors(g=1, dtype=torch.float32)]
    given = [x.bfloat16() if i in (0, 1, 7) else x for i, x in enumerate(inputs)]
    with using(backend):
        op = OPS.selective_scan.default
        torch.library.opcheck(op, (*(x.requires_grad_() for x in given), *MARKS, True))


@pytest.mark.parametrize("size", [1e-4, 1e-2, 1.0])
def test_float32_errs_at_most_twice_as_much_as_the_definition(size):
    """With rates from 1 to 16: memories of ten thousand steps to less than one.

    A bound of a unit in the last place holds where the definition is exact by luck. The path on
    PyTorch multiplies decays over chunks, which costs it a third factor.
    """
    with torch.no_grad():
        inputs = tensors(2, 700, 32, 16, 1, torch.float32)
        inputs[1].uniform_(-0.5, 0.5).add_(torch.tensor(size).expm1().log())
        inputs[2].copy_(-torch.arange(1.0, 17).expand(32, 16))
    wide = outputs_and_gradients(selective_reference, [x.double() for x in inputs])
    plain = outputs_and_gradients(selective_reference, inputs)
    unit = torch.finfo(torch.float32).eps
    for backend in BACKENDS:
        with using(backend):
            ours = outputs_and_gradients(selective_scan, inputs)
        for exact, theirs, fast in zip(wide, plain, ours, strict=True):
            bound = (3 if backend == "torch" else 2) * (theirs - exact).norm()
            assert (fast - exact).norm() <= max(bound, unit * exact.norm()), backend


@every_backend
def test_a_million_steps_and_extreme_steps_stay_finite(backend):
    length = 2**20 if backend != "torch" else 2**14
    dt = torch.full((1, length, 2), 1e-3)
    dt[:, ::1000] = 1e38
    dt[:, 1::1000] = 0
    dt[:, 2::1000] = 1e-38
    maps = [torch.full((1, length, 1, 2), 1e-38) for _ in range(2)]
    u, A = torch.ones(1, length, 2), torch.tensor([[-1.0, -16.0], [-1e-30, 0.0]])
    leaves = [x.requires_grad_() for x in (A, *maps, u, dt)]
    A, B, C, u, dt = leaves
    with using(backend):
        y, h = selective_scan(Selective(A, B, C, dt), u)
        grads = torch.autograd.grad(y.mean(), leaves)
    assert all(bool(torch.isfinite(x).all()) for x in (y, h, *grads))


@every_backend
@pytest.mark.parametrize("length", [3, 70])
def test_a_reset_forgets_even_what_is_not_finite_and_padding_may_hold_anything(backend, length):
    u, dt, A, B, C, D, bias, z, h0 = (x.detach() for x in tensors(l=length))
    resets = torch.zeros(2, length, dtype=torch.bool)
    resets[:, 1] = True
    lengths = torch.tensor([length - 1, 2])
    bad = [x.clone() for x in (u, dt, B, C, z)]
    for x in bad:
        x[torch.arange(length) >= lengths[:, None]] = torch.nan
    with using(backend):
        clean = scan(u, dt, A, B, C, D, bias, z, h0, resets, lengths)
        u, dt, B, C, z = bad
        found = scan(u, dt, A, B, C, D, bias, z, torch.full_like(h0, torch.nan), resets, lengths)
        assert torch.equal(clean[0][:, 1:], found[0][:, 1:]) and torch.equal(clean[1], found[1])
        x, weight, bias, tail = (x.detach() for x in filters(l=length))
        clean = short_convolution(x, weight, bias, tail, resets, lengths)
        x[torch.arange(length) >= lengths[:, None]] = torch.nan
        lost = torch.full_like(tail, torch.nan)
        found = short_convolution(x, weight, bias, lost, resets, lengths)
        assert torch.equal(clean[0][:, 1:], found[0][:, 1:]) and torch.equal(clean[1], found[1])


@every_backend
def test_results_do_not_depend_on_threads(backend):
    inputs = tensors(3, 150, 256, 5, 2, torch.float32)
    results, before = [], torch.get_num_threads()
    try:
        for threads in (2, 2) if backend == "torch" else (1, 2, 5):
            torch.set_num_threads(threads)
            with using(backend):
                y, h = scan(*inputs)
                results.append([y, h, *torch.autograd.grad(y.sum() + h.sum(), inputs)])
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(x, y) for x, y in zip(results[0], other, strict=True))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"u": torch.zeros(2, 3)}, r"u has shape \(2, 3\)"),
        ({"u": torch.zeros(2, 3, 4, dtype=torch.complex64)}, "real"),
        ({"A": torch.zeros(3, 2)}, "m = 4"),
        ({"B": torch.zeros(2, 3, 3, 2)}, "divisor of m = 4"),
        ({"C": torch.zeros(2, 3, 1, 2)}, "C has shape"),
        ({"dt": torch.zeros(2, 3, 1)}, "dt has shape"),
        ({"D": torch.zeros(4, 1)}, "D has shape"),
        ({"bias": torch.zeros(3)}, "bias has shape"),
        ({"gate": torch.zeros(2, 3, 2)}, "gate has shape"),
        ({"h0": torch.zeros(2, 4)}, "h0 has shape"),
        ({"resets": torch.zeros(2, 3)}, "torch.bool"),
        ({"lengths": torch.zeros(2)}, "torch.int64"),
    ],
)
def test_misfits_are_named(change, message):
    maps, u = torch.zeros(2, 3, 2, 2), torch.zeros(2, 3, 4)
    fits = {"A": torch.zeros(4, 2), "B": maps, "C": maps, "dt": u, "u": u} | change
    names = [x for x in Selective._fields if x in fits]
    with pytest.raises(ValueError, match=message):
        selective_scan(Selective(**{x: fits.pop(x) for x in names}), **fits)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": torch.zeros(2, 3)}, "x has shape"),
        ({"weight": torch.zeros(3, 2)}, "d = 4"),
        ({"weight": torch.zeros(4, 0)}, "w > 0"),
        ({"bias": torch.zeros(3)}, "bias has shape"),
        ({"tail": torch.zeros(2, 3, 4)}, "tail has shape"),
    ],
)
def test_misfits_of_a_convolution_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        short_convolution(**{"x": torch.zeros(2, 3, 4), "weight": torch.zeros(4, 3)} | change)
