"""Range and precision at the ends: learned step sizes near 0 and huge, dense exponentials."""

import pytest
import torch

from layers.cases import EXECUTIONS
from resolvent.contract import PROMISES, Subject
from resolvent.layers import LSSL, S4

RULES = {"S4D": ("zoh", "bilinear"), "S4": ("bilinear", "zoh"), "S5": ("zoh",), "LSSL": ("zoh",)}
CASES = [
    (layer, execution, rule)
    for layer, executions in EXECUTIONS.items()
    for execution in executions
    for rule in RULES.get(layer.__name__, (None,))
    if execution != "loop"
]


@pytest.mark.parametrize("log_dt", [-25.0, 25.0])
@pytest.mark.parametrize(("layer", "execution", "rule"), CASES)
def test_learned_step_sizes_may_go_to_either_end(layer, execution, rule, log_dt):
    options = {} if rule is None else {"rule": rule}
    made = layer(2, d_state=16, execution=execution, **options)
    with torch.no_grad():
        for name, x in made.named_parameters():
            if name.startswith("log_dt") or name == "nu":  # LRU's decay is exp(-exp(nu))
                x.fill_(log_dt)
    u = torch.randn(2, 130, 2, requires_grad=True)
    y, state = made(u)
    (y.square().sum() + state.h.square().sum()).backward()
    for x in (y, state.h, u.grad, *(p.grad for p in made.parameters())):
        assert torch.isfinite(x).all()


@pytest.mark.parametrize("layer", [S4, LSSL])
def test_dense_exponentials_keep_their_digits(layer):
    # squaring in float32 would leave 1e-3 of a LegS exponential of this size
    promise = PROMISES["float32 follows float64"]
    error = promise.worst(Subject(lambda d: layer(d, d_state=128, rule="zoh"), 1))
    assert error <= promise.tolerance.bound / 5
