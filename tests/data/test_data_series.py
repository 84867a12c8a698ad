import numpy as np
import pytest

from resolvent.data import DataError, SeriesSet

ONE = np.ones((4, 2))


def test_values_become_float32_and_names_are_made_up():
    series = SeriesSet([ONE, np.ones((1, 2), dtype=np.int64)], y=["a", "b"])
    assert [x.dtype for x in series.X] == [np.float32, np.float32]
    assert series.lengths.tolist() == [4, 1]
    assert series.channel_names == ("c0", "c1")
    assert series.sampling_rate is None


@pytest.mark.parametrize(
    ("y", "task"),
    [
        (["a", "b"], "classification"),
        ([1, 2], "classification"),
        ([True, False], "classification"),
        ([1.0, 2.0], "regression"),
        (np.array([1.0, 2], dtype=object), "regression"),
    ],
)
def test_task_follows_the_type_of_the_labels(y, task):
    assert SeriesSet([ONE, ONE], y=y).task == task


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (dict(X=[]), "no series"),
        (dict(X=[ONE[:0]]), "series 0: found no time steps"),
        (dict(X=[ONE[:, :0]]), "no channels"),
        (dict(X=[ONE, ONE[:, :1]]), "series 1: found 1 channels; expected 2"),
        (dict(X=[ONE[:, 0]]), "expected (time, channels)"),
        (dict(X=[np.full((2, 1), np.inf)]), "infinite value"),
        (dict(X=[np.full((2, 1), 1e39)]), "beyond float32"),
        (dict(X=[np.array([["a"]])]), "expected real numbers"),
        (dict(X=[ONE * 1j]), "expected real numbers"),
        (dict(X=[ONE], y=[1, 2]), "expected one label per series"),
        (dict(X=[ONE, ONE], y=[1.0, np.nan]), "series 1: found label nan"),
        (dict(X=[ONE, ONE], y=[1.0, np.inf]), "series 1: found label inf"),
        (dict(X=[ONE, ONE], y=np.array(["a", None], dtype=object)), "series 1: found no label"),
        (dict(X=[ONE, ONE], y=np.array(["a", ""])), "series 1: found no label"),
        (dict(X=[ONE, ONE], y=np.array(["a", 1], dtype=object)), "mixed types"),
        (dict(X=[ONE], y=np.array(["a" * 500], dtype=object)), "500 characters"),
        (dict(X=[ONE], y=np.array([2**63], dtype=np.uint64)), "within 64 bits"),
        (dict(X=[ONE], y=[1j]), "expected strings, integers or floats"),
        (dict(X=[ONE, ONE], groups=[1]), "expected one group per series"),
        (dict(X=[ONE], channel_names=("a",)), "found 1 channel names; expected 2"),
        (dict(X=[ONE], sampling_rate=0.0), "sampling_rate"),
        (dict(X=[ONE], sampling_rate=float("nan")), "sampling_rate"),
    ],
)
def test_what_is_wrong_is_named(arguments, says):
    with pytest.raises(DataError) as caught:
        SeriesSet(**arguments)
    assert says in str(caught.value)


def test_of_takes_arrays_and_lists():
    cube = np.arange(24.0).reshape(2, 4, 3)
    assert SeriesSet.of(cube).X[1].tolist() == cube[1].tolist()
    assert SeriesSet.of(cube[:, :, 0]).X[1].tolist() == cube[1, :, :1].tolist()
    assert SeriesSet.of([[1.0, 2.0], [3.0]]).lengths.tolist() == [2, 1]
    labelled = SeriesSet.of(SeriesSet.of(cube, y=[1, 2]), groups=["u", "v"])
    assert labelled.labels.tolist() == [1, 2]
    assert labelled.groups is not None and labelled.groups.tolist() == ["u", "v"]


@pytest.mark.parametrize("X", [np.ones(3), np.ones((1, 1, 1, 1)), "text", 3])
def test_of_refuses_other_shapes(X):
    with pytest.raises(DataError):
        SeriesSet.of(X)


def test_subset_keeps_everything_in_the_order_asked():
    series = SeriesSet(
        [ONE * i for i in range(4)], list("abcd"), [1, 1, 2, 2], "s", ("u", "v"), 5.0, list("wxyz")
    )
    part = series.subset([3, 0])
    assert part.labels.tolist() == ["d", "a"]
    assert part.X[0][0, 0] == 3
    assert part.groups is not None and part.groups.tolist() == [2, 1]
    assert part.ids is not None and part.ids.tolist() == ["z", "w"]
    assert (part.name, part.channel_names, part.sampling_rate) == ("s", ("u", "v"), 5.0)
    assert series.subset(series.groups == 2).labels.tolist() == ["c", "d"]
    with pytest.raises(DataError, match="no series"):
        series.subset([])
    with pytest.raises(DataError, match="one per series"):
        SeriesSet([ONE], ids=["a", "b"])


def test_asking_for_labels_that_are_not_there():
    with pytest.raises(DataError, match="found no labels"):
        _ = SeriesSet([ONE]).task


def test_message_is_one_short_line():
    error = DataError("a\nb\x00\u2028" + "c" * 1000)
    assert len(str(error)) == 300
    assert str(error).startswith("a b c") and str(error).isprintable()
