"""One entry for every kind of file: `read` looks at the extension and calls the format's parser."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from resolvent.data.columns import Columns, Layout
from resolvent.data.errors import DataError, show
from resolvent.data.formats import arrays, flat, table, ts, wav
from resolvent.data.series import SeriesSet

TABLES = {".csv": table.parse_csv, ".parquet": table.parse_parquet, ".pq": table.parse_parquet}
PLAIN = {
    ".ts": ts.parse,
    ".tsv": flat.parse,
    ".txt": flat.parse,
    ".npz": arrays.parse_npz,
    ".npy": arrays.parse_npy,
    ".wav": wav.parse_file,
}
KINDS = "a folder of .wav files or a file ending in " + ", ".join(sorted(TABLES | PLAIN))


def read(
    path: str | Path,
    *,
    target: str | None = None,
    id: str | None = None,
    time: str | None = None,
    group: str | None = None,
    channels: Sequence[str] | None = None,
    layout: Layout = "auto",
    pattern: str | None = None,
) -> SeriesSet:
    """Read series from a file or a folder; nothing else of the input is kept open or changed.

    Args:
        path: `.ts` (UCR/UEA), `.tsv` or `.txt` (flat UCR: label first, no header), `.csv`,
            `.parquet`, `.npz`, `.npy`, `.wav`, or a folder of `.wav` files.
        target: Table column with the labels; default: a column named label, target or class.
        id: Table column naming the series of a row, which makes the table long.
        time: Table column that orders the rows of a series.
        group: Table column with the subject, speaker or machine.
        channels: Table columns that hold the values; default: all that play no other part.
        layout: "long", "wide" or "auto" for tables.
        pattern: File names of a folder, for example "{label}_{group}_{index}.wav"; without it
            the name of the sub-folder is the label.

    Returns:
        The series, named after the file (or after what a `.ts` header says).

    Raises:
        DataError: For whatever is wrong with the input or the keywords, in one line that names
            the file, the row where known, what was found, what was expected and what to do.
    """
    return _read(Path(path), Columns(target, id, time, group, channels, layout), pattern)


def read_split(
    path: str | Path, columns: Columns | None = None, pattern: str | None = None
) -> tuple[SeriesSet, SeriesSet | None]:
    """Read a training set and its test companion, as the UCR and UEA archives lay them out.

    Args:
        path: A file NAME_TRAIN.ext, a folder that holds exactly one such file, or anything else
            that `read` takes.
        columns: For tables, the parts of the columns.
        pattern: For folders of `.wav` files, the pattern of their names.

    Returns:
        The training set, and the set of NAME_TEST.ext beside it; None where there is none.

    Raises:
        DataError: As `read`, and when the two sets have different channels.
    """
    place, columns = _training_file(Path(path)), columns or Columns()
    train = _read(place, columns, pattern)
    if "_TRAIN." not in place.name:
        return train, None
    companion = place.with_name(place.name.replace("_TRAIN.", "_TEST."))
    if not companion.exists():
        return train, None
    test = _read(companion, columns, pattern)
    if test.n_channels != train.n_channels:
        raise DataError(
            f"{_display(companion)}: found {test.n_channels} channels; expected "
            f"{train.n_channels} as in {place.name}"
        )
    return train, test


def _training_file(place: Path) -> Path:
    """Return the training file of a folder, or `place` itself where there is none."""
    try:
        found = sorted(f for f in place.glob("*_TRAIN.*") if f.suffix.lower() in PLAIN | TABLES)
    except OSError:
        return place  # reading it will say what is wrong
    if len(found) > 1:
        raise DataError(
            f"{_display(place)}: found {len(found)} training files ({found[0].name}, "
            f"{found[1].name}, ...); expected one; name the file"
        )
    return found[0] if found else place


def _read(place: Path, columns: Columns, pattern: str | None) -> SeriesSet:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of decoders: what matters is an error here
            series = _load(place, columns, pattern)
    except DataError as error:
        raise DataError(f"{_display(place)}: {error}") from error
    return series if series.name != "series" else replace(series, name=place.stem or "series")


def is_table(source: str | Path) -> bool:
    """Whether a file has columns, which play parts that must be told."""
    return Path(source).suffix.lower() in TABLES


def _load(place: Path, columns: Columns, pattern: str | None) -> SeriesSet:
    suffix = place.suffix.lower()
    try:
        is_folder, is_file, exists = place.is_dir(), place.is_file(), place.exists()
    except OSError as error:
        raise DataError(f"not a usable path ({error.strerror}); check it") from error
    if not exists:
        raise DataError(f"no such file; expected {KINDS}; check the path")
    if not is_folder and not is_file:
        raise DataError(f"found neither a regular file nor a folder; expected {KINDS}")
    _refuse_unused(columns, pattern, is_table=is_table(place) and not is_folder, folder=is_folder)
    if is_folder:
        return wav.parse_folder(place, pattern)
    if suffix not in TABLES and suffix not in PLAIN:
        raise DataError(f"found extension {show(suffix)}; expected {KINDS}; rename or convert it")
    data = read_bytes(place)
    return TABLES[suffix](data, columns) if suffix in TABLES else PLAIN[suffix](data)


def read_bytes(place: Path) -> bytes:
    """Return the contents of a file that is not empty, or raise a DataError without its name."""
    try:
        data = place.read_bytes()
    except OSError as error:
        raise DataError(f"not readable ({error.strerror}); check its permissions") from error
    if not data:
        raise DataError("found an empty file; expected data; write the file again")
    return data


def _refuse_unused(columns: Columns, pattern: str | None, is_table: bool, folder: bool) -> None:
    """A keyword without effect is an error: it says the user expected something else."""
    if not is_table and columns != Columns():
        given = [name for name, value in vars(columns).items() if value not in (None, "auto")]
        raise DataError(f"found {given[0]}=; expected it only for .csv and .parquet; leave it out")
    if pattern is not None and not folder:
        raise DataError("found pattern=; expected it only for a folder of .wav files; leave it out")


def _display(place: Path) -> str:
    """Return the path as typed, or its last part where it would fill the message."""
    text = str(place)
    return text if len(text) <= 90 else f"…{text[-89:]}"
