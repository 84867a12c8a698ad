"""The experiment that claims about tokens share, and the claims that take no training."""

from dataclasses import replace
from functools import partial

import pytest

from resolvent.data.tasks import induction_heads, parity
from resolvent.model import LanguageConfig, LanguageModel
from resolvent.papers import ALL, longconv, mamba2, reflections, text, universal
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


def test_every_variant_of_every_table_can_be_built():
    tables = [c.run for paper in ALL for c in paper.claims if isinstance(c.run, Table)]
    assert len(tables) > 5
    for table in tables:
        assert table.first in (None, *(variant.label for variant in table.variants))
        for variant in table.variants:
            LanguageModel(replace(variant.model, vocab_size=9))


def test_bits_per_byte_of_a_short_training(monkeypatch):
    monkeypatch.setattr(text, "STEPS", 2)
    monkeypatch.setattr(text, "WINDOW", 12)
    config = LanguageConfig(256, 8, 1, ("Mamba",))
    bits = text.bits_per_byte(config, 0)
    assert bits == text.bits_per_byte(config, 0) and 7 < bits < 9


@pytest.mark.parametrize("saved", [0.1, -0.1])
def test_recurrence_in_depth_is_judged_at_equal_size(saved, monkeypatch):
    def bits(config, seed):
        return 3.0 - saved * (config.layers == ("UniversalTransformer",))

    monkeypatch.setattr(universal, "bits_per_byte", bits)
    assert universal.recurrence_in_depth([0, 1])[-1].holds == (saved > 0)
    sizes = [
        sum(x.numel() for x in LanguageModel(config).parameters())
        for config in universal.MODELS.values()
    ]
    assert max(sizes) < 1.01 * min(sizes)


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
