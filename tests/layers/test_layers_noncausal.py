"""The non-causal SSD: no order of time, one weighted sum for every step."""

import pytest
import torch
from torch.nn.functional import conv1d, silu, softplus

from resolvent.contract import Subject
from resolvent.layers import NonCausalSSD
from resolvent.model import LanguageConfig, LanguageModel

# sums of a few dozen terms in float64, in another order
EQUAL = {"rtol": 1e-10, "atol": 1e-10}


@torch.no_grad()
def test_it_is_the_quadratic_form_without_a_mask():
    subject = Subject(lambda d: NonCausalSSD(d, 3, head_dim=2, n_groups=2), 4)
    layer, u = subject.layer, subject.inputs(2, 11)
    z, x, dt = layer.in_proj(u).split([8, 20, 4], -1)
    x = conv1d(x.mT, layer.conv.weight[:, None], layer.conv.bias, padding=1, groups=20).mT
    x, B, C = silu(x).split([8, 6, 6], -1)
    x = x.unflatten(-1, (4, 2))
    B, C = (v.unflatten(-1, (2, 3)).repeat_interleave(2, 2) for v in (B, C))
    weight = layer.A_log.exp() * softplus(dt + layer.dt_bias)
    y = torch.einsum("btmn,bsmn,bsm,bsmp->btmp", C, B, weight, x) + layer.D[:, None] * x
    y = layer.out_proj(layer.norm(y.flatten(2)) * z)
    torch.testing.assert_close(layer(u)[0], y, **EQUAL)


@torch.no_grad()
def test_a_permutation_of_the_input_permutes_the_output():
    subject = Subject(lambda d: NonCausalSSD(d, 3, d_conv=1), 4)
    u, order = subject.inputs(2, 30), torch.randperm(30)
    y, state = subject.layer(u)
    assert state is None
    torch.testing.assert_close(subject.layer(u[:, order])[0], y[:, order], **EQUAL)


def test_it_says_that_it_is_not_causal():
    layer = NonCausalSSD(4, 3)
    assert not layer.causal and not hasattr(layer, "step")
    with pytest.raises(ValueError, match="layers: NonCausalSSD reads the future"):
        LanguageModel(LanguageConfig(d_model=4, n_layers=1, layers=("NonCausalSSD",)))
