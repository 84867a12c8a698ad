"""Weights in few bits: what they stand for, and products that never unpack them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kernels.kernel_cases import BACKENDS, strided
from resolvent.kernels import FEW, STORAGES, linear, pack, rows, unpack, using
from resolvent.kernels.linear import BLOCK


@given(
    n=st.sampled_from([0, 1, 3, 4, 7, 130]),
    k=st.sampled_from([0, 1, 5, 8, 63, 64, 65, 200]),
    shape=st.sampled_from([(), (1,), (0,), (3,), (2, 2), (FEW,), (FEW + 1,)]),
    storage=st.sampled_from(list(STORAGES)),
    backend=st.sampled_from(BACKENDS),
    biased=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_products_are_those_of_the_matrix_that_is_stood_for(
    n, k, shape, storage, backend, biased, seed
):
    torch.manual_seed(seed)
    packed = pack(torch.randn(n, k), storage)
    x, bias = strided(torch.randn(*shape, k)), torch.randn(n) if biased else None
    with using(backend):
        y = linear(x, packed, bias)
    assert y.shape == (*shape, n) and y.dtype == torch.float32
    exact = x.double() @ unpack(packed).double().mT + (0 if bias is None else bias)
    # float32 sums of at most 200 products of numbers near 1
    torch.testing.assert_close(y.double(), exact, rtol=1e-5, atol=1e-4)


@given(st.integers(1, 300), st.floats(-30, 30), st.integers(0, 2**16))
def test_rounding_is_bounded(k, power, seed):
    torch.manual_seed(seed)
    weight = torch.randn(3, k) * 2.0**power
    weight[1] = 0
    assert torch.equal(unpack(pack(weight, "float32")), weight)
    half = unpack(pack(weight, "bfloat16"))
    assert ((half - weight).abs() <= 2.0**-8 * weight.abs()).all()
    packed = pack(weight, "int8")
    assert packed.scales is not None and packed.data.abs().max() <= 127
    steps = packed.scales.repeat_interleave(BLOCK, 1)[:, :k]
    assert ((unpack(packed) - weight).abs() <= 0.5001 * steps).all()
    index = torch.tensor([[2, 0]])
    assert torch.equal(rows(packed, index), unpack(packed)[index])
    assert unpack(packed).is_contiguous()  # oneDNN is a thousand times slower where it is not


def test_inputs_have_gradients_and_the_op_is_a_citizen():
    packed, x = pack(torch.randn(5, 70), "int8"), torch.randn(2, 70, requires_grad=True)
    (grad,) = torch.autograd.grad(linear(x, packed).sum(), x)
    torch.testing.assert_close(grad, unpack(packed).sum(0).expand(2, -1))
    op = torch.ops.resolvent.linear.default
    torch.library.opcheck(op, (x.detach(), packed.data, packed.scales, None, 70))


def test_what_cannot_be_packed_or_multiplied_is_named():
    with pytest.raises(ValueError, match="weights: 'int4' is unknown; choose one of float32"):
        pack(torch.ones(2, 2), "int4")
    with pytest.raises(ValueError, match="a weight is not finite"):
        pack(torch.tensor([[1.0, torch.nan]]), "int8")
    with pytest.raises(ValueError, match=r"x has shape \(1, 3\): expected \(..., 2\)"):
        linear(torch.ones(1, 3), pack(torch.ones(2, 2), "float32"))
