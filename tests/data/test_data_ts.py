from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from data.data_samples import STAMPED, TS
from resolvent.data import DataError, read, read_split


def load(folder, content: bytes, name="x.ts"):
    (folder / name).write_bytes(content)
    return read(folder / name)


def test_the_example_is_read(tmp_path):
    series = load(tmp_path, TS)
    assert series.name == "Example"
    assert series.labels.tolist() == ["walk", "run", "run"]
    assert series.lengths.tolist() == [3, 2, 3]
    np.testing.assert_array_equal(
        series.X[0], np.array([[0.1, 1.0], [0.2, 1.1], [np.nan, 1.2]], dtype=np.float32)
    )
    assert np.isnan(series.X[1][1, 1])


def test_time_stamps_order_the_values(tmp_path):
    series = load(tmp_path, STAMPED)
    np.testing.assert_array_equal(series.X[0], [[1, np.nan], [2, 4]])
    assert series.task == "regression"
    assert series.labels.tolist() == [1.5, 2.5]


def test_header_in_any_case_line_ends_marks_and_encoding(tmp_path):
    text = (
        "\ufeff# Köln\r@PROBLEMNAME x\r\n@classlabel TRUE 1 2\r\n%\n\n@DATA\n 1 , 2 : 1.0\n3,4:2\n"
    )
    for encoding in ("utf-8", "latin-1"):
        series = load(tmp_path, text.lstrip("\ufeff").encode(encoding))
        assert series.labels.tolist() == ["1", "2"]
        assert series.X[0].ravel().tolist() == [1, 2]
    assert len(load(tmp_path, text.encode())) == 2


def test_without_labels(tmp_path):
    series = load(tmp_path, b"@classLabel false\n@data\n1,2:3,4\n")
    assert series.y is None and series.n_channels == 2


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b"@data\n", b"", "before @data"),
        (TS[TS.index(b"@data") :], b"", "no @data line"),
        (TS[TS.index(b"0.1,") :], b"", "no series after @data"),
        (b"@classLabel true walk run\n", b"", "neither @classLabel nor @targetLabel"),
        (b"true walk run", b"true", "without classes"),
        (b"true walk run", b"yes walk run", "expected true or false"),
        (b"@dimensions 2", b"@dimensions two", "expected one integer"),
        (b"@dimensions 2", b"@targetLabel true", "second label tag"),
        (b"@dimensions 2", b"@dimensions 3", "line 10: found 2 channels; expected 3"),
        (b"@univariate false", b"@univariate true", "@univariate true"),
        (b"@equalLength false", b"@equalLength true", "line 11: found 2 time steps; expected 3"),
        (b"0.3,0.4:", b"0.3,0.4,0.5:", "channels of lengths 2 and 3"),
        (b"0.3,0.4:1.3,NaN:run", b"0.3,0.4:run", "line 11: found 1 channels; expected 2"),
        (b"NaN:run", b"NaN:jog", "line 11: found label 'jog'"),
        (b"NaN:run", b"NaN:", "line 11: found label ''"),
        (b"0.4:1.3", b"0.4x:1.3", "line 11, channel 0, value 1: found '0.4x'"),
        (b"0.4:1.3", b",0.4:1.3", "found ''"),
        (b"0.4:1.3", b"1e39:1.3", "line 11: found an infinite value"),
        (b"3,4,5:1,2,3:run", b"hello", "line 12: found label 'hello'"),
        (b"# two", b"two", "line 1: found 'two channels"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, old, new, says):
    assert old in TS
    with pytest.raises(DataError) as caught:
        load(tmp_path, TS.replace(old, new))
    assert says in str(caught.value) and "x.ts" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b"(1,241.75)", b"(0,241.75)", "found a time stamp twice"),
        (b"(1,25)", b"(2,25)", "other time stamps than in channel 0"),
        (b"(1,241.75)", b"(one,241.75)", "found time stamp 'one'"),
        (b"(1,241.75)", b"(nan,241.75)", "not finite"),
        (b"(1,241.75)", b"1,241.75", "expected '(stamp,value)' pairs"),
        (b"1.5", b"nan", "found target 'nan'"),
    ],
)
def test_what_is_wrong_with_time_stamps_is_named(tmp_path, old, new, says):
    assert old in STAMPED
    with pytest.raises(DataError) as caught:
        load(tmp_path, STAMPED.replace(old, new))
    assert says in str(caught.value)


def test_a_class_may_be_spelled_as_another_number(tmp_path):
    series = load(tmp_path, b"@classLabel true 0.0 1.0\n@data\n1:0\n2:1\n")
    assert series.labels.tolist() == ["0.0", "1.0"]


def test_companions(tmp_path):
    assert read_split(_write(tmp_path / "a.ts", TS))[1] is None
    train = _write(tmp_path / "s" / "N_TRAIN.ts", TS)
    assert read_split(train)[1] is None
    _write(tmp_path / "s" / "N_TEST.ts", TS.replace(b"3,4,5:1,2,3:run\n", b""))
    for path in (train, tmp_path / "s"):
        first, second = read_split(path)
        assert second is not None and (len(first), len(second)) == (3, 2)
    _write(tmp_path / "s" / "N_TEST.ts", b"@classLabel true a\n@data\n1:a\n")
    with pytest.raises(DataError, match="N_TEST.ts: found 1 channels; expected 2 as in N_TRAIN"):
        read_split(train)
    _write(tmp_path / "s" / "M_TRAIN.ts", TS)
    with pytest.raises(DataError, match="found 2 training files"):
        read_split(tmp_path / "s")


def _write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def _shipped() -> list[Path]:
    """Every .ts file that aeon brings along."""
    spec = find_spec("aeon")
    if spec is None or not spec.submodule_search_locations:
        return []
    folder = Path(spec.submodule_search_locations[0]) / "datasets" / "data"
    return sorted(folder.glob("*/*.ts"))


@pytest.mark.parametrize("path", _shipped(), ids=lambda path: path.stem)
def test_same_as_aeon(path):
    loaders = pytest.importorskip("aeon.datasets")
    X, y, meta = loaders.load_from_ts_file(str(path), return_meta_data=True)
    ours = read(path)
    assert len(ours) == len(X)
    for mine, theirs in zip(ours.X, X, strict=True):
        np.testing.assert_array_equal(mine, np.asarray(theirs).T.astype(np.float32))
    if meta["targetlabel"]:
        np.testing.assert_array_equal(ours.labels, y)
    else:
        assert [label.lower() for label in ours.labels] == y.tolist()
