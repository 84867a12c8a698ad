"""One deterministic setting for every test: seeds, one thread, NaN in memory nobody wrote."""

from __future__ import annotations

import os

import pytest
import torch
from hypothesis import HealthCheck, settings

torch.set_num_threads(1)
# in deterministic mode torch fills torch.empty with NaN, so that reading it cannot pass unseen
torch.use_deterministic_algorithms(True)
torch.utils.deterministic.fill_uninitialized_memory = True

settings.register_profile(
    "resolvent",
    deadline=None,
    max_examples=15,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    derandomize="CI" in os.environ,
)
settings.load_profile("resolvent")


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)
