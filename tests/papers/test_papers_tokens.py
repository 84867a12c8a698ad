"""The experiment that claims about tokens share, and the claims that take no training."""

import pytest

from resolvent.data.tasks import induction_heads
from resolvent.model import LanguageConfig
from resolvent.papers import longconv, mamba2, reflections
from resolvent.papers.tokens import accuracy, score


def test_a_short_training_follows_its_seed():
    config = LanguageConfig(5, 8, 1, layers=("Mamba",))

    def draw(n, seed):
        return induction_heads(n, 6, 4, seed)

    first, model = accuracy(config, draw, 3, seed=1, batch_size=8)
    again, _ = accuracy(config, draw, 3, seed=1, batch_size=8)
    assert first == again and 0 <= first <= 1
    assert score(model, draw(512, 3)) == first


@pytest.mark.parametrize("paper", [longconv.PAPER, mamba2.PAPER], ids=lambda x: x.name)
def test_claims_without_training_hold(paper):
    for claim in paper.claims:
        assert all(row.holds for row in claim.run([0, 1])), claim.name


def test_reflections_follow_words_of_groups(monkeypatch):
    monkeypatch.setattr(reflections, "LENGTH", 300)
    rows = reflections.words([0])
    assert len(rows) == 10 and all(row.holds for row in rows)
    table = reflections.table_of(reflections.rotations_of_the_icosahedron())
    orders = []
    for a in range(60):
        power, order = a, 1
        while table[power, power] != power:  # not yet the identity
            power, order = table[power, a], order + 1
        orders.append(order)
    assert {k: orders.count(k) for k in set(orders)} == {1: 1, 2: 15, 3: 20, 5: 24}  # those of A5
