"""Whatever bytes a file holds: a valid set, or one DataError of one line, and nothing else."""

import os
import random
import tracemalloc
import warnings

import pytest

from data.data_samples import samples
from resolvent.data import DataError, SeriesSet, read, read_split

NONSENSE = (
    b"hello world",
    b"@data",
    b"@classLabel true",
    b"@dimensions 99999999999",
    b"@timeStamps true",
    b"\0\0\0",
    b"1,2,3:4,5",
    b'"',
    b",,,,",
    b"nan:nan",
    b"\xff\xfe",
    b"1e999",
    b"(1,2):",
    b"9" * 500,
    b"-",
    b"\xe2\x80\xa8",
    b"\r",
)


def mangle(data: bytes, rng: random.Random) -> bytes:
    """Damage bytes or lines once to eight times."""
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        cut = rng.randrange(len(data) + 1)
        end = min(len(data), cut + rng.randrange(1, 40))
        lines = data.split(b"\n")
        line = rng.randrange(len(lines) + 1)
        data = rng.choice(
            (
                data[:cut],
                data[:cut] + data[end:],
                data[:cut] + data[cut:end] * 30 + data[cut:],
                data[:cut] + rng.randbytes(rng.choice((1, 4, 50))) + data[cut:],
                data[:cut] + rng.randbytes(1) + data[cut + 1 :],
                data[:cut]
                + bytes(b ^ (1 << rng.randrange(8)) for b in data[cut : cut + 1])
                + data[cut + 1 :],
                data[:cut] + rng.choice(NONSENSE) + data[cut:],
                b"\n".join(lines[:line] + [rng.choice(NONSENSE)] + lines[line:]),
                b"\n".join(rng.sample(lines, len(lines))),
            )
        )
    return data


def attempt(path) -> bool:
    """Read a file; return whether it was refused, as it should be if it is."""
    try:
        series = read(path)
    except DataError as error:
        message = str(error)
        assert len(message) <= 300 and message.isprintable(), message
        assert path.name in message, message
        # a bug of this package inside a decoder's block would be disguised as bad data
        assert "NameError" not in message and "AttributeError" not in message, message
        return True
    assert isinstance(series, SeriesSet)
    return False


@pytest.mark.parametrize("name", samples())
def test_the_samples_are_valid(tmp_path, name):
    (tmp_path / name).write_bytes(samples()[name])
    assert len(read(tmp_path / name)) >= 1


def fuzz(tmp_path, per_kind: int, seed: int) -> None:
    rng = random.Random(seed)
    refused = 0
    for name, data in samples().items():
        path = tmp_path / name
        for _ in range(per_kind):
            path.write_bytes(mangle(data, rng))
            refused += attempt(path)
        path.unlink()
    assert refused > per_kind * len(samples()) // 4  # else the damage does nothing


def test_mangled_files(tmp_path, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tracemalloc.start()
        try:
            fuzz(tmp_path, per_kind=20, seed=0)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 50e6  # bytes; the files are below 10 kB, the rest is imports
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 5))
def test_many_mangled_files(tmp_path, seed):
    fuzz(tmp_path, per_kind=250, seed=seed)


@pytest.mark.parametrize("name", [*samples(), "x.xyz"])
def test_empty_files_and_bytes_of_another_kind(tmp_path, name):
    path = tmp_path / name
    for content in (b"", b"\n", b"\0" * 100, b"\x89PNG\r\n\x1a\n" + bytes(range(256))):
        path.write_bytes(content)
        assert attempt(path)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("missing.ts", "no such file"),
        ("missing.ts/inner.ts", "no such file"),
        ("bad\0name.ts", "no such file"),
        ("n" * 300 + ".ts", "not a usable path"),
        ("odd.xlsx", "found extension '.xlsx'"),
        ("none", "found extension ''"),
        ("", "found no .wav file"),
    ],
)
def test_unusable_paths(tmp_path, path, says):
    for name in ("odd.xlsx", "none"):
        (tmp_path / name).write_bytes(b"1")
    for reader in (read, read_split):
        with pytest.raises(DataError) as caught:
            reader(tmp_path / path)
        assert says in str(caught.value) and len(str(caught.value)) <= 300


def test_neither_file_nor_folder(tmp_path):
    os.mkfifo(tmp_path / "pipe.ts")
    with pytest.raises(DataError, match="neither a regular file nor a folder"):
        read(tmp_path / "pipe.ts")


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "x.ts").write_bytes(b"1")
    monkeypatch.setattr(type(tmp_path), "read_bytes", refuse)  # root may read everything
    with pytest.raises(DataError, match=r"x.ts: not readable \(Permission denied\)"):
        read(tmp_path / "x.ts")


def test_keywords_without_effect_are_errors(tmp_path):
    for name in ("plain.ts", "wide.csv"):
        (tmp_path / name).write_bytes(samples()[name])
    with pytest.raises(DataError, match="found target=; expected it only for .csv"):
        read(tmp_path / "plain.ts", target="label")
    with pytest.raises(DataError, match="found pattern=; expected it only for a folder"):
        read(tmp_path / "wide.csv", pattern="{label}.wav")
    with pytest.raises(DataError, match="expected a list of columns"):
        read(tmp_path / "wide.csv", channels="t0")
