"""The Universal Transformer is its equations, and each step decides by itself when to halt."""

import torch
from torch.nn.functional import layer_norm

from resolvent.contract import Subject
from resolvent.layers import UniversalTransformer
from resolvent.layers.universal import EPS

D, REPEATS = 6, 5


def subject(**options):
    return Subject(lambda d: UniversalTransformer(d, 2, REPEATS, expand=2, **options), D)


def by_hand(layer, u):
    """States x_1 .. x_K and halting probabilities of every depth, by the paper's equations."""
    x, states, chances = u, [], []
    for k in range(REPEATS):
        z = x + layer.signal[k]
        a = layer_norm(z + layer.attention(z)[0], (D,), *_affine(layer.norms[0]))
        x = layer_norm(a + layer.mlp(a)[0], (D,), *_affine(layer.norms[1]))
        states.append(x)
        if layer.halt is not None:
            chances.append(torch.sigmoid(layer.halt(z))[..., 0])
    return states, chances


def _affine(norm):
    return norm.weight, norm.bias


def test_without_halting_it_is_one_block_again_and_again():
    case = subject(halting=False)
    u = case.inputs(2, 9)
    torch.testing.assert_close(case.layer(u)[0], by_hand(case.layer, u)[0][-1])


def test_halting_is_adaptive_computation_time_for_each_step():
    case = subject()
    with torch.no_grad():  # so that steps differ in when they halt, and some never do
        case.layer.halt.weight.mul_(8)
        case.layer.halt.bias.fill_(-1.5)
    u = case.inputs(3, 40)
    states, chances = by_hand(case.layer, u)
    expected, depths, price = torch.zeros_like(u), set(), 0.0
    for i, t in torch.cartesian_prod(torch.arange(3), torch.arange(40)).tolist():
        given = 0.0
        for k in range(REPEATS):
            p = float(chances[k][i, t].detach())
            if given + p > 1 - EPS or k == REPEATS - 1:
                expected[i, t] += (1 - given) * states[k][i, t]
                depths.add(k + 1)
                price += k + 1 + 1 - given
                break
            expected[i, t] += p * states[k][i, t]
            given += p
    torch.testing.assert_close(case.layer(u)[0], expected)
    assert depths >= {1, 2, REPEATS}
    case.layer.train()(u)
    assert abs(case.layer.cost.item() - 0.01 * price / 120) < 1e-12


def test_more_depth_costs_no_weights():
    sizes = {
        sum(p.numel() for p in UniversalTransformer(D, repeats=k).parameters()) for k in (1, 9)
    }
    assert len(sizes) == 1
