import math

import pytest
import torch
from torch import nn

from resolvent.layers.base import Rule
from resolvent.train import (
    TrainConfig,
    make_optimizer,
    make_scheduler,
    parameter_groups,
    warmup_cosine,
)


class Ruled(nn.Module):
    """Parameters of every kind: ruled, free, exempt, frozen, shared."""

    def __init__(self):
        super().__init__()
        self.dynamics = nn.Parameter(torch.ones(4, 2))
        self.gentle = nn.Parameter(torch.ones(4, 4))
        self.rules = {
            "dynamics": Rule(max_lr=1e-3, weight_decay=0.0),
            "gentle": Rule(weight_decay=0.5),
        }
        self.free = nn.Linear(4, 4)
        self.norm = nn.LayerNorm((4, 4))
        self.frozen = nn.Parameter(torch.ones(2, 2), requires_grad=False)
        self.tied = self.free


def settings(model, lr):
    return {
        name: (group["lr"], group["weight_decay"])
        for group in parameter_groups(model, lr, 0.1)
        for name, _ in group["params"]
    }


def test_groups_follow_rules():
    assert settings(Ruled(), lr=0.01) == {
        "dynamics": (1e-3, 0.0),
        "gentle": (0.01, 0.5),
        "free.weight": (0.01, 0.1),
        "free.bias": (0.01, 0.0),
        "norm.weight": (0.01, 0.0),
        "norm.bias": (0.01, 0.0),
    }


def test_max_lr_is_a_cap_not_a_value():
    assert settings(Ruled(), lr=1e-4)["dynamics"] == (1e-4, 0.0)


def test_rule_without_parameter_is_an_error():
    model = nn.Sequential(nn.Linear(2, 2))
    model[0].rules = {"wieght": Rule(max_lr=1e-3)}
    with pytest.raises(ValueError, match=r"rules of 0 \(Linear\) name \['wieght'\]"):
        parameter_groups(model, 0.1, 0.0)


def test_nothing_to_train_is_an_error():
    with pytest.raises(ValueError, match="no trainable parameter"):
        parameter_groups(nn.ReLU(), 0.1, 0.0)


def test_schedule_values():
    factors = [warmup_cosine(step, total=10, warmup=4, final=0.2) for step in range(11)]
    assert factors[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert factors[7] == pytest.approx(0.2 + 0.8 * 0.5)  # half way down the cosine
    assert factors[10] == pytest.approx(0.2)
    assert all(a >= b for a, b in zip(factors[4:], factors[5:], strict=False))
    assert warmup_cosine(0, total=1, warmup=1) == 1.0
    assert math.isclose(warmup_cosine(5, total=5, warmup=5), 1.0)


def test_schedule_per_group_and_from_any_step():
    config = TrainConfig(lr=0.01, warmup=0.2)
    optimizer = make_optimizer(Ruled(), config)
    scheduler = make_scheduler(optimizer, config, total=10)
    course = []
    for _ in range(10):
        course.append(scheduler.get_last_lr())
        optimizer.step()
        scheduler.step()
    peaks = [group["initial_lr"] for group in optimizer.param_groups]
    assert sorted(set(peaks)) == [1e-3, 0.01]
    for step, rates in enumerate(course):
        assert rates == [peak * warmup_cosine(step, 10, 2) for peak in peaks]
        fresh = make_scheduler(make_optimizer(Ruled(), config), config, total=10, step=step)
        assert fresh.get_last_lr() == rates
