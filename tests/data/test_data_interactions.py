"""Tables of who took what: order, rare users and items, and what is held out."""

import numpy as np
import pandas as pd
import pytest

from resolvent.data import DataError
from resolvent.data.interactions import leave_last_out, read_interactions, two_threads


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    users = rng.choice(12, 300, p=np.arange(1, 13) / 78)
    items = rng.choice(list("abcdefghijkl"), 300)
    return pd.DataFrame({"who": users, "what": items, "when": rng.integers(0, 50, 300)})


def expected(table, least):
    """The same by plain loops."""
    rows = sorted(table.itertuples(index=False), key=lambda row: row.when)  # stable
    while True:
        users = pd.Series([r.who for r in rows]).value_counts()
        items = pd.Series([r.what for r in rows]).value_counts()
        kept = [r for r in rows if users[r.who] >= least and items[r.what] >= least]
        if len(kept) == len(rows):
            return {u: [r.what for r in rows if r.who == u] for u in sorted({r.who for r in rows})}
        rows = kept


@pytest.mark.parametrize("least", [1, 9])
@pytest.mark.parametrize("suffix", ["csv", "parquet", None])
def test_sequences_are_those_of_plain_loops(table, least, suffix, tmp_path):
    source = table
    if suffix:
        source = tmp_path / f"table.{suffix}"
        getattr(table, f"to_{suffix}")(source, index=False)
    found = read_interactions(source, "who", "what", "when", least)
    named = {
        u: [found.items[i] for i in s] for u, s in zip(found.users, found.sequences, strict=True)
    }
    assert named == expected(table, least)
    assert least == 1 or len(named) < 12  # something was dropped


def test_the_last_two_items_are_held_out():
    long, three, two, one = np.arange(6), np.array([7, 8, 9]), np.array([3, 4]), np.array([5])
    train, valid, test = leave_last_out([long, three, two, one])
    assert [x.tolist() for x in train.x] == [[0, 1, 2], [3]]
    assert [y.tolist() for y in train.y] == [[1, 2, 3], [4]]
    assert [x.tolist() for x in valid.x] == [[0, 1, 2, 3], [7]] and valid.y.tolist() == [4, 8]
    assert [x.tolist() for x in test.x] == [[0, 1, 2, 3, 4], [7, 8]] and test.y.tolist() == [5, 9]


def test_threads_alternate():
    sequences = two_threads(50, 12, items=9, noise=0.0, seed=1)
    follows = {(int(a), int(b)) for s in sequences for a, b in zip(s[:-2], s[2:], strict=True)}
    assert len({a for a, _ in follows}) == len(follows) == 9
    assert {len(s) for s in sequences} == set(range(6, 13))
    with pytest.raises(ValueError, match="length: expected at least 3, got 2"):
        two_threads(1, 2)


def test_unusable_tables_are_refused(table, tmp_path):
    with pytest.raises(DataError, match="column 'user': not in the table, whose columns are who"):
        read_interactions(table)
    with pytest.raises(DataError, match="nothing is left of users and items with 99 rows"):
        read_interactions(table, "who", "what", "when", 99)
    with pytest.raises(DataError, match="column 'when': row 3 is empty"):
        read_interactions(
            table.assign(when=table.when.where(table.index != 3)), "who", "what", "when"
        )
    with pytest.raises(DataError, match="source: expected a CSV or Parquet file, found none"):
        read_interactions(tmp_path / "none.csv")
    (tmp_path / "bad.parquet").write_bytes(b"no table")
    with pytest.raises(DataError, match="not readable as a table of interactions"):
        read_interactions(tmp_path / "bad.parquet")
