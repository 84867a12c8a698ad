import io

import numpy as np
import pandas as pd
import pytest

from data.data_samples import long_table, wide_table
from resolvent.data import Columns, DataError, from_frame, read


@pytest.fixture(params=["csv", "parquet", "frame"])
def load(request, tmp_path):
    """Read a data frame by way of a CSV file, a Parquet file, or as it is."""

    def way(frame: pd.DataFrame, **columns):
        path = tmp_path / f"x.{request.param}"
        if request.param == "frame":
            return from_frame(frame, Columns(**columns))
        frame.to_csv(path, index=False) if path.suffix == ".csv" else frame.to_parquet(path)
        return read(path, **columns)

    return way


def test_long(load):
    series = load(long_table())
    np.testing.assert_array_equal(series.X[0], [[1, 10], [2, 20]])
    np.testing.assert_array_equal(series.X[1], [[3, 30], [np.nan, 40]])
    np.testing.assert_array_equal(series.X[2], [[5, 50]])
    assert series.labels.tolist() == ["a", "b", "a"]
    assert series.groups.tolist() == [7, 8, 7]
    assert series.channel_names == ("x", "z")
    assert series.ids.tolist() == ["p", "q", "r"]


def test_long_with_other_names_and_dates(load):
    frame = long_table().rename(columns={"id": "run", "time": "when", "label": "x2"})
    frame["when"] = pd.date_range("2020-01-01", periods=5)[::-1]
    series = load(frame, id="run", time="when", target="x2", group="subject", channels=["z"])
    assert [x.ravel().tolist() for x in series.X] == [[10, 20], [40, 30], [50]]


def test_wide(load):
    series = load(wide_table())
    assert series.lengths.tolist() == [4, 3, 4]
    np.testing.assert_array_equal(series.X[1].ravel(), [4, np.nan, 5])
    assert series.labels.tolist() == [0, 1, 0]
    assert series.task == "classification"


def test_wide_with_float_targets_and_an_identifier(load):
    frame = wide_table().assign(label=[0.5, 1.0, 2.0], id=["a", "b", "c"], time=1)
    series = load(frame.drop(columns="time"), layout="wide")
    assert series.task == "regression" and series.lengths.max() == 4


def test_one_long_series_without_id(load):
    frame = long_table().drop(columns=["id", "label", "subject"]).assign(time=range(5))
    for columns in ({"layout": "long"}, {"time": "time"}):
        assert load(frame, **columns).lengths.tolist() == [5]


def test_long_without_time_keeps_the_order_of_the_rows(load):
    series = load(long_table().drop(columns="time"), layout="long")
    assert series.X[0][:, 0].tolist() == [2, 1]


def test_label_once_a_series_is_enough(load):
    frame = long_table()
    frame.loc[[1, 2], "label"] = None
    assert load(frame).labels.tolist() == ["a", "b", "a"]
    assert load(frame.assign(label=None)).y is None


@pytest.mark.parametrize(
    ("change", "columns", "says"),
    [
        (dict(time=[0, 0, 0, 1, 0]), {}, "row 2: found the time of row 1 again in series 'p'"),
        (dict(label=list("abbba")), {}, "row 2, column 'label': found 'b' after 'a' in series 'p'"),
        (
            dict(label=["a", "a", None, None, "b"]),
            {},
            "series 'q': found nothing in column 'label'",
        ),
        (dict(id=["p", None, "q", "q", "r"]), {}, "row 2: found no id"),
        (dict(time=[0, 1, None, 1, 2]), {}, "row 3: found no time"),
        (dict(x=["1", "2", "three", "4", "5"]), {}, "row 3, column 'x': found 'three'"),
        (dict(x=[1, 2, np.inf, 4, 5]), {}, "infinite value"),
        (dict(case=range(5)), {}, "found columns ['id', 'case']"),
        ({}, dict(target="y"), "found no column 'y'"),
        ({}, dict(target="label", group="label"), "in two parts"),
        ({}, dict(layout="tall"), "expected 'auto', 'long' or 'wide'"),
        ({}, dict(layout="wide", time="time"), "only for long tables"),
    ],
)
def test_what_is_wrong_is_named(load, change, columns, says):
    with pytest.raises(DataError) as caught:
        load(long_table().assign(**change), **columns)
    assert says in str(caught.value)


@pytest.mark.parametrize("lone", ["id", "time"])
def test_an_id_or_a_time_alone_is_ambiguous(load, lone):
    frame = long_table()[[lone, "x"]]
    with pytest.raises(DataError, match=r"Give .*=\.\.\. or layout='long' for steps"):
        load(frame)


def test_nothing_but_parts_or_empty_rows(load):
    with pytest.raises(DataError, match="no column left"):
        load(long_table()[["id", "time", "label"]])
    with pytest.raises(DataError, match="without rows"):
        load(long_table()[:0])
    with pytest.raises(DataError, match="row 2: found no value"):
        load(pd.DataFrame({"a": [1.0, None], "b": [2.0, None], "label": [0, 1]}))


def csv(tmp_path, text: str | bytes, **columns):
    path = tmp_path / "x.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(path, **columns)


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_csv_with_other_delimiters_marks_and_line_ends(tmp_path, delimiter):
    text = "\ufeff" + "\r\n".join(["a,b,label", "1,2,'u'", "", ' 3 ,?,"v"', ""])
    series = csv(tmp_path, text.replace(",", delimiter))
    assert series.lengths.tolist() == [2, 1]
    assert series.labels.tolist() == ["'u'", "v"]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["1", "2"], [1, 2]),
        (["1", "2.5"], [1.0, 2.5]),
        (["01", "2"], ["01", "2"]),
        (["1_0", "2"], ["1_0", "2"]),
        (["None", "NA"], ["None", "NA"]),
        (["9" * 30, "1"], [1e30, 1.0]),
    ],
)
def test_csv_labels_take_the_type_they_spell(tmp_path, texts, expected):
    labels = csv(tmp_path, "a,label\n" + "".join(f"1,{text}\n" for text in texts)).labels
    assert labels.tolist() == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,a\n1,2\n", "column 'a' twice"),
        (",a\n1,2\n", "column 1 has no name"),
        ("1.5,2.5\n1,2\n", "found only numbers"),
        ("\n\na,b\n1,2\n", "line 1: found it blank"),
        ("a,b", "header without rows"),
        ("a,b\n\n", "header without rows"),
        ("a,b\n1,2\n1,2,3\n", "row 2: found 3 cells ('1,2,3'); expected 2"),
        ('a,"b\n1,2\n', "line 1"),
        (b"a,b\n1,\xff\n", "line 2: found a byte that is not UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), "zero bytes"),
        ("a;b\n1,5;2\n", "found '1,5'; expected a number"),
    ],
)
def test_what_is_wrong_with_csv_is_named(tmp_path, text, says):
    with pytest.raises(DataError) as caught:
        csv(tmp_path, text)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("column", "says"),
    [
        ([[1, 2]], "found list"),
        ([{"a": 1}], "found struct"),
        ([b"12"], "found binary"),
        ([pd.Timestamp(0)], "found timestamp"),
    ],
)
def test_parquet_cells_are_numbers(tmp_path, column, says):
    pd.DataFrame({"a": column}).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(DataError, match=says):
        read(tmp_path / "x.parquet")


def test_parquet_forgets_the_index_of_pandas(tmp_path):
    frame = wide_table()
    frame.index = [5, 6, 7]
    frame.to_parquet(tmp_path / "x.parquet")
    assert read(tmp_path / "x.parquet").lengths.max() == 4


def test_parquet_of_categories_and_decimals(tmp_path):
    from decimal import Decimal

    frame = long_table().astype({"label": "category"}).assign(z=[Decimal(i) for i in range(5)])
    stream = io.BytesIO()
    frame.to_parquet(stream)
    (tmp_path / "x.pq").write_bytes(stream.getvalue())
    series = read(tmp_path / "x.pq")
    assert series.labels.tolist() == ["a", "b", "a"]
    assert series.X[1][:, 1].tolist() == [2, 3]
