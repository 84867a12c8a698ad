"""Synthetic tasks: what they ask can be answered by their own definition, and by nothing less."""

import numpy as np
import pytest

from resolvent.data.tasks import (
    IGNORED,
    induction_heads,
    multi_query_recall,
    selective_copying,
)

TASKS = {
    "selective copying": lambda seed=0: selective_copying(50, 20, 4, 5, seed),
    "induction heads": lambda seed=0: induction_heads(50, 20, 6, seed),
    "multi-query recall": lambda seed=0: multi_query_recall(50, 20, 4, 12, seed),
}


@pytest.mark.parametrize("make", TASKS.values(), ids=TASKS)
def test_seeded_and_in_range(make):
    task = make()
    for found, again, other in zip(task[:2], make()[:2], make(1)[:2], strict=True):
        assert np.array_equal(found, again) and not np.array_equal(found, other)
    assert task.x.shape == task.y.shape and task.x.dtype == np.int64
    assert task.x.min() >= 0 and task.x.max() < task.vocab_size
    asked = task.y[task.y != IGNORED]
    assert asked.min() >= 0 and asked.max() < task.vocab_size


def test_copying_asks_for_the_items_in_order():
    x, y, vocab_size = selective_copying(30, 20, 4, 5)
    for row, labels in zip(x, y, strict=True):
        items = [t for t in row[:20] if t]
        assert len(items) == 4 and labels[20:].tolist() == items
        assert (row[20:] == vocab_size - 1).all() and (labels[:20] == IGNORED).all()
    # the items are anywhere
    assert (x[:, :20] > 0).any(0).all()


def test_induction_asks_for_what_followed():
    x, y, _ = induction_heads(200, 20, 6)
    for row, labels in zip(x, y, strict=True):
        places = np.flatnonzero(row == 6)
        assert len(places) == 2 and places[1] == 19
        assert labels[19] == row[places[0] + 1] and (labels[:19] == IGNORED).all()


def test_recall_asks_for_every_value_once():
    x, y, _ = multi_query_recall(30, 20, 4, 12)
    for row, labels in zip(x, y, strict=True):
        known = dict(zip(row[0:8:2].tolist(), row[1:8:2].tolist(), strict=True))
        asked = np.flatnonzero(labels != IGNORED)
        assert sorted(row[asked].tolist()) == sorted(known) and asked.min() >= 8
        assert [known[k] for k in row[asked].tolist()] == labels[asked].tolist()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: selective_copying(1, 3, 4), "items: expected 1 to length = 3, got 4"),
        (lambda: induction_heads(1, 2), "length: expected at least 3, got 2"),
        (lambda: multi_query_recall(1, 20, 9, 12), "pairs: expected 1 to"),
        (lambda: multi_query_recall(1, 20, 2, 7), "even symbols, got 2 and 7"),
    ],
)
def test_impossible_sizes_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
