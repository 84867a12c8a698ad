"""The experiment that claims about tokens share, and the claims that take no training."""

from dataclasses import replace
from functools import partial

import pytest

from resolvent.data.tasks import induction_heads, parity
from resolvent.papers import longconv, mamba2, reflections
from resolvent.papers.tokens import Table, Variant, ended_early, score, stack, trained

TOY = Table(
    partial(induction_heads, symbols=4),
    (
        Variant("one", stack("Mamba", d_model=8), True, "1"),
        Variant("two", stack("S4D", "MLP", d_model=8, depth=2, d_state=4), False),
        Variant("three", stack("Mamba", d_model=8)),
    ),
    train=6,
    beyond=(12,),
    steps=2,
)


def test_a_short_training_follows_its_seed():
    config = replace(TOY.variants[0].model, vocab_size=5)
    learned = ended_early(TOY.draw(16, 6, seed=2), 6, seed=0)
    first, again, other = (
        score(trained(config, learned, seed, batch_size=8), TOY.draw(512, 6, seed=3))
        for seed in (1, 1, 2)
    )
    assert first == again != other and 0 <= first <= 1


def test_sequences_end_early_with_their_labels():
    task = parity(200, 6, seed=0)
    cut = ended_early(task, 3, seed=1)
    assert set(cut.lengths) == {3, 4, 5, 6}
    for x, y, row, labels in zip(cut.x, cut.y, task.x, task.y, strict=True):
        assert (x == row[: len(x)]).all() and (y == labels[: len(x)]).all()


def test_a_table_judges_every_variant_at_its_longest_length():
    rows = replace(TOY, solved=0.0, failed=0.0, first="two")(range(2))
    assert [row.quantity for row in rows[:-1]] == [
        f"{label}: accuracy at {length} steps"
        for label in ("one", "two", "three")
        for length in (6, 12)
    ]
    assert [row.holds for row in rows[:-1]] == [None, True, None, False, None, None]
    assert rows[1].published == "1" and "2 seeds" in rows[0].measured
    found = [TOY.measure(variant, [0, 1])[12] for variant in TOY.variants]
    assert rows[-1].holds == (min(found[1]) > max(*found[0], *found[2]))
    assert rows[-1].quantity.startswith("worst seed of two")


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
