import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolvent.data import DataError, SeriesSet, split

FRACTIONS = st.sampled_from([(0.8, 0.2), (0.5, 0.5), (0.6, 0.2, 0.2), (0.7, 0.1, 0.1, 0.1)])


def labelled(y, groups=None) -> SeriesSet:
    """Series whose only value is their position, so that a part shows what is in it."""
    return SeriesSet.of(np.arange(len(y))[:, None], y, groups)


def positions(part: SeriesSet) -> list[int]:
    return [int(x[0, 0]) for x in part.X]


@given(
    sizes=st.lists(st.integers(4, 30), min_size=1, max_size=6),
    fractions=FRACTIONS,
    seed=st.integers(0, 2**32 - 1),
)
def test_stratified_shares_out_every_class(sizes, fractions, seed):
    y = np.repeat([f"class {i}" for i in range(len(sizes))], sizes)
    parts = split.stratified(labelled(y), fractions, seed)
    assert sorted(sum((positions(part) for part in parts), [])) == list(range(len(y)))
    for label, size in zip(dict.fromkeys(y), sizes, strict=True):
        for part, fraction in zip(parts, fractions, strict=True):
            count = int((part.labels == label).sum())
            assert count >= 1
            assert abs(count - size * fraction) < len(fractions)


def test_stratified_does_not_drift_with_many_small_classes():
    y = np.repeat(np.arange(50), 5)
    train, test = split.stratified(labelled(y), (0.7, 0.3))
    assert (len(train), len(test)) == (175, 75)


@pytest.mark.parametrize("way", [split.stratified, split.by_group, split.automatic])
def test_the_seed_decides(way):
    series = labelled(np.arange(60) % 3, groups=np.arange(60) // 3)
    first, again, other = (positions(way(series, seed=seed)[1]) for seed in (1, 1, 2))
    assert first == again != other


def test_regression_and_unlabelled_sets_split_at_random():
    for y in (np.linspace(0, 1, 10), None):
        series = SeriesSet.of(np.arange(10)[:, None], y)
        parts = split.stratified(series, (0.6, 0.2, 0.2))
        assert [len(part) for part in parts] == [6, 2, 2]


def test_a_rare_class():
    series = labelled(["a"] * 8 + ["b"])
    with pytest.raises(DataError, match="found 1 series of class 'b'; expected at least 2"):
        split.stratified(series)
    train, test = split.stratified(series, rare="first")
    assert "b" in train.classes and "b" not in test.classes


@given(
    sizes=st.lists(st.integers(1, 12), min_size=4, max_size=12),
    fractions=FRACTIONS,
    seed=st.integers(0, 1000),
)
def test_no_group_is_in_two_parts(sizes, fractions, seed):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    series = SeriesSet.of(np.arange(len(groups))[:, None], groups=groups)
    parts = split.by_group(series, fractions, seed)
    assert sorted(sum((positions(part) for part in parts), [])) == list(range(len(groups)))
    homes = [set(np.asarray(part.groups).tolist()) for part in parts]
    assert all(homes) and sum(map(len, homes)) == len(sizes)


def test_groups_leave_every_class_in_training():
    # class "b" is known from two groups of ten only, and must not end up in the test part alone
    groups = np.repeat(np.arange(10), 4)
    y = np.where((groups == 3) & (np.arange(40) % 4 == 0) | (groups == 7), "b", "a")
    for seed in range(20):
        train, test = split.by_group(labelled(y, groups), (0.7, 0.3), seed)
        assert set(train.classes) == set(test.classes) == {"a", "b"}
        assert len(train) == 28


@pytest.mark.parametrize(
    ("groups", "says"),
    [
        (None, "found no groups"),
        ([1, 1, 1, 1], "found 1 groups for 2 parts"),
        ([1, 1, 2, 2], "found no split by group with class"),
    ],
)
def test_splits_by_group_that_cannot_be(groups, says):
    with pytest.raises(DataError, match=says):
        split.by_group(labelled(["a", "a", "b", "b"], groups))


def test_too_few_series_and_wrong_fractions():
    with pytest.raises(DataError, match="found 1 series for 2 parts"):
        split.stratified(labelled(["a"]))
    for fractions in ((1.0,), (0.5, 0.4), (1.2, -0.2), (0.5, float("nan"))):
        with pytest.raises(ValueError, match="fractions"):
            split.stratified(labelled(["a", "a"]), fractions)


def test_automatic_prefers_groups():
    y, groups = ["a", "b"] * 6, np.repeat([1, 2, 3], 4)
    train, test = split.automatic(labelled(y, groups))
    assert not set(train.groups) & set(test.groups)
    assert split.automatic(labelled(y))[0].groups is None
