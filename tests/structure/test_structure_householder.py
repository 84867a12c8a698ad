import numpy as np
import pytest
import torch

from resolvent.structure import Householder, reflections
from structure.suite import StructureSuite


def twin(A: Householder) -> np.ndarray:
    gate, keys, beta = (x.detach().numpy() for x in (A.gate, A.keys, A.beta))
    eye = np.eye(keys.shape[-1])
    M = gate[..., None] * eye
    for j in range(beta.shape[-1]):
        k = keys[..., j, :, None]
        M = (eye - beta[..., j, None, None] * k * np.swapaxes(k, -1, -2)) @ M
    return M


class HouseholderSuite(StructureSuite):
    structure = Householder
    r = 1
    gate_for_every_state = False

    def make(self, rng, lead, n):
        gate = torch.rand(*lead, n if self.gate_for_every_state else 1, generator=rng).double()
        keys = torch.randn(*lead, self.r, n, generator=rng).double()
        beta = 2 * torch.rand(*lead, self.r, generator=rng).double()
        # some steps away from 1 and 2, where the suite takes resolvents
        return Householder(0.9 * gate, keys / keys.norm(dim=-1, keepdim=True), beta)

    def twin(self, A):
        return twin(A)


class TestOneFactor(HouseholderSuite):
    pass


class TestThreeFactors(HouseholderSuite):
    r = 3


class TestGateForEveryState(HouseholderSuite):
    r = 2
    gate_for_every_state = True


def random(rng, r, n=4, lead=(50,)):
    keys = torch.nn.functional.normalize(torch.randn(*lead, r, n, generator=rng).double(), dim=-1)
    beta = 2 * torch.rand(*lead, r, generator=rng).double()
    return Householder(torch.ones(*lead, 1).double(), keys, beta)


@pytest.mark.parametrize("r", [1, 2, 4])
def test_never_expands(rng, r):
    assert torch.linalg.matrix_norm(random(rng, r).dense(), 2).max() <= 1 + 1e-12


def test_eigenvalue_along_the_key_is_one_less_beta(rng):
    A = random(rng, 1)
    k = A.keys.mT
    torch.testing.assert_close(A.apply(k), (1 - A.beta)[..., None] * k, rtol=0, atol=1e-14)


def test_writes_are_the_delta_rule_one_after_the_other(rng):
    A = random(rng, 3)
    h, v = (torch.randn(50, x, 2, generator=rng).double() for x in (4, 3))
    step = h
    for j in range(3):
        k = A.keys[:, j, :, None]
        step = step + A.beta[:, j, None, None] * k * (v[:, j, None] - k.mT @ step)
    torch.testing.assert_close(A.apply(h) + A.writes() @ v, step, rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("order", "least"),
    [([0], 0), ([0, 1, 2], 0), ([1, 0, 2, 3, 4], 1), ([1, 2, 0], 2), ([4, 2, 0, 1, 3], 4)],
)
def test_reflections_are_as_few_as_a_permutation_has_swaps(order, least):
    Q = torch.eye(len(order), dtype=torch.float64)[order]
    A = reflections(Q)
    assert len(A.beta) == least == len(order) - cycles(order)
    torch.testing.assert_close(A.dense(), Q, rtol=0, atol=1e-14)


def cycles(order):
    seen, count = set(), 0
    for start in range(len(order)):
        count += start not in seen
        while start not in seen:
            seen.add(start)
            start = order[start]
    return count


@pytest.mark.parametrize("n", [1, 2, 7])
def test_every_orthogonal_matrix_is_reflections(rng, n):
    Q = torch.linalg.qr(torch.randn(n, n, generator=rng).double())[0]
    A = reflections(Q)
    assert len(A.beta) <= n and torch.linalg.det(Q).sign() == (-1) ** len(A.beta)
    torch.testing.assert_close(A.dense(), Q, rtol=0, atol=1e-13)
    with pytest.raises(ValueError, match="Q: expected an orthogonal matrix"):
        reflections(1.1 * Q)
