import io

import numpy as np
import pytest
from scipy.io import wavfile

from data.data_samples import pcm24
from resolvent.data import DataError, fsdd, read


def write(path, samples, rate=8000):
    path.parent.mkdir(parents=True, exist_ok=True)
    wavfile.write(path, rate, np.asarray(samples))


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (np.array([0, 128, 255], dtype=np.uint8), [-1, 0, 127 / 128]),
        (np.array([-(2**15), 0, 2**14], dtype=np.int16), [-1, 0, 0.5]),
        (np.array([-(2**31), 0, 2**30], dtype=np.int32), [-1, 0, 0.5]),
        (np.array([-1.5, 0, 0.25], dtype=np.float32), [-1.5, 0, 0.25]),
        (np.array([-1.5, 0, 0.25], dtype=np.float64), [-1.5, 0, 0.25]),
    ],
)
def test_every_kind_of_sample(tmp_path, samples, expected):
    write(tmp_path / "x.wav", samples)
    series = read(tmp_path / "x.wav")
    assert series.X[0].ravel().tolist() == expected
    assert series.sampling_rate == 8000 and series.y is None


def test_24_bits(tmp_path):
    (tmp_path / "x.wav").write_bytes(pcm24())
    np.testing.assert_allclose(
        read(tmp_path / "x.wav").X[0].ravel(), [0.5, -1, 1 - 2.0**-23], rtol=1e-7
    )


def test_sub_folders_are_classes(tmp_path):
    for label, n in (("no", 2), ("yes", 1)):
        for i in range(n):
            write(tmp_path / label / f"{i}.WAV", np.full((i + 3, 2), 2**14, dtype=np.int16))
    (tmp_path / "no" / "notes.txt").write_text("not sound")
    series = read(tmp_path)
    assert series.labels.tolist() == ["no", "no", "yes"]
    assert series.lengths.tolist() == [3, 4, 3]
    assert series.n_channels == 2
    assert series.ids.tolist() == ["no/0.WAV", "no/1.WAV", "yes/0.WAV"]


def test_pattern_gives_label_and_group(tmp_path):
    for name in ("7_ann_0", "7_bob_12", "1_ann_0"):
        write(tmp_path / f"{name}.wav", np.ones(4, dtype=np.float32))
    series = read(tmp_path, pattern="{label}_{group}_{index}.wav")
    assert series.labels.tolist() == ["1", "7", "7"]
    assert series.groups.tolist() == ["ann", "ann", "bob"]
    assert read(tmp_path, pattern="{index}.wav").y is None


def test_spoken_digits_split_by_speaker(tmp_path):
    for speaker in ("ann", "theo", "yweweler"):
        write(tmp_path / f"3_{speaker}_0.wav", np.ones(4, dtype=np.float32))
    assert fsdd(tmp_path).groups.tolist() == ["ann"]
    assert fsdd(tmp_path, "test").groups.tolist() == ["theo", "yweweler"]
    assert len(fsdd(tmp_path, "all")) == 3
    (tmp_path / "3_ann_0.wav").unlink()
    with pytest.raises(DataError, match="expected all six speakers"):
        fsdd(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "pattern", "says"),
    [
        ("b.wav", None, None, "directly in the folder"),
        ("c/b.wav", None, "x{index}.wav", "unlike the pattern"),
        ("c/b.wav", None, "{name}.wav", "expected {label}, {group} and {index}"),
        ("c/b.wav", None, "{label}{label}.wav", "each at most once"),
        ("c/b.wav", None, "{label", "pattern '{label'"),
        ("c/b.wav", b"", None, "'c/b.wav': found an empty file"),
        ("c/b.wav", b"RIFF", None, "'c/b.wav': not readable as a WAV file"),
        ("c/b.wav", "other rate", None, "'c/b.wav': found 44100 Hz and 1 channels; expected 8000"),
        ("c/b.wav", "stereo", None, "found 8000 Hz and 2 channels; expected 8000 Hz and 1"),
        ("c/b.wav", "cut", None, "cut off or damaged"),
    ],
)
def test_what_is_wrong_in_a_folder_is_named(tmp_path, name, content, pattern, says):
    write(tmp_path / "a" / "a.wav", np.ones(9, dtype=np.int16))
    stream = io.BytesIO()
    rate = 44100 if content == "other rate" else 8000
    wavfile.write(stream, rate, np.ones((9, 2) if content == "stereo" else 9, dtype=np.int16))
    sound = stream.getvalue()[: -4 if content == "cut" else None]
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else sound)
    with pytest.raises(DataError) as caught:
        read(tmp_path, pattern=pattern)
    assert says in str(caught.value)


def test_empty_folder(tmp_path):
    with pytest.raises(DataError, match="found no .wav file"):
        read(tmp_path)
