import io
import zipfile

import numpy as np
import pytest

from resolvent.data import DataError, read
from resolvent.data.formats import arrays

CUBE = np.arange(24.0).reshape(2, 4, 3)


def npz(tmp_path, **arrays):
    np.savez(tmp_path / "x.npz", **arrays)
    return read(tmp_path / "x.npz")


def test_all_keys(tmp_path):
    series = npz(
        tmp_path,
        X=CUBE,
        y=["a", "b"],
        groups=[1, 2],
        channel_names=["u", "v", "w"],
        sampling_rate=50.0,
    )
    assert series.X[1].tolist() == CUBE[1].tolist()
    assert series.labels.tolist() == ["a", "b"] and series.groups.tolist() == [1, 2]
    assert series.channel_names == ("u", "v", "w") and series.sampling_rate == 50.0


def test_unequal_lengths_padded_and_end_to_end(tmp_path):
    padded = npz(tmp_path, X=CUBE, lengths=[4, 2])
    assert padded.X[1].tolist() == CUBE[1, :2].tolist()
    rows = CUBE.reshape(8, 3)
    joined = npz(tmp_path, X=rows, lengths=[3, 5])
    assert joined.X[1].tolist() == rows[3:].tolist()
    assert npz(tmp_path, X=rows[:, 0], lengths=[3, 5]).n_channels == 1


def test_npy_of_two_and_three_axes(tmp_path):
    np.save(tmp_path / "x.npy", CUBE)
    assert read(tmp_path / "x.npy").n_channels == 3
    np.save(tmp_path / "x.npy", np.asfortranarray(CUBE[:, :, 0]))
    assert read(tmp_path / "x.npy").X[1].ravel().tolist() == CUBE[1, :, 0].tolist()


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        (dict(x=CUBE), "keys ['x']; expected X"),
        (dict(X=CUBE, labels=[1, 2]), "key 'labels'"),
        (dict(X=np.array([1, "a"], dtype=object)), "Python objects"),
        (dict(X=np.array([["a"]])), "expected real numbers"),
        (dict(X=np.ones(3)), "expected (n, time, channels) or (n, time)"),
        (dict(X=CUBE[:0]), "no series"),
        (dict(X=CUBE[:, :0]), "no time steps"),
        (dict(X=CUBE, lengths=[4, 5]), "2 lengths of sum 9"),
        (dict(X=CUBE, lengths=[4, 0]), "positive integer"),
        (dict(X=CUBE, lengths=[4.0, 1.0]), "positive integer"),
        (dict(X=CUBE, lengths=[]), "positive integer"),
        (dict(X=CUBE, y=[1, 2, 3]), "expected one label per series"),
        (dict(X=CUBE, sampling_rate=[1, 2]), "expected one number"),
        (dict(X=CUBE, sampling_rate=-1), "positive number"),
        (dict(X=CUBE, channel_names=["a"]), "found 1 channel names"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, arrays, says):
    with pytest.raises(DataError) as caught:
        npz(tmp_path, **arrays)
    assert says in str(caught.value) and "x.npz" in str(caught.value)


def test_a_pickle_is_never_loaded(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "exploded"), "w"))

    np.save(tmp_path / "x.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "x.npz", X=np.array([Bomb()], dtype=object))
    for name in ("x.npy", "x.npz"):
        with pytest.raises(DataError, match="Python objects"):
            read(tmp_path / name)
    assert not (tmp_path / "exploded").exists()


def test_a_shape_beyond_the_file_is_refused_before_memory_is_asked_for(tmp_path):
    stream = io.BytesIO()
    np.save(stream, np.ones((2, 3)))
    huge = stream.getvalue().replace(b"(2, 3)", b"(2, 10**15)"[:6]).replace(b"(2, 10", b"(9, 9)")
    (tmp_path / "x.npy").write_bytes(huge)
    with pytest.raises(DataError, match="found 48 bytes for shape"):
        read(tmp_path / "x.npy")
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("X.npy", huge)
    with pytest.raises(DataError, match="found 48 bytes for shape"):
        read(tmp_path / "x.npz")


def test_a_small_file_cannot_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "SAFE_BYTES", 10_000)
    np.savez_compressed(tmp_path / "x.npz", X=np.zeros((2, 500, 2)))
    with pytest.raises(DataError, match="bytes that inflate to 16128; expected at most 100 times"):
        read(tmp_path / "x.npz")
    np.savez(tmp_path / "x.npz", X=np.zeros((2, 500, 2)))
    assert read(tmp_path / "x.npz").lengths.tolist() == [500, 500]
