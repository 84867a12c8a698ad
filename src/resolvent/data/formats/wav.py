"""Sound: a `.wav` file is one series, a folder of them a set with labels from the names.

PCM of 8 to 32 bits is scaled to [-1, 1); floating-point samples are kept as they are. Every file
of a folder has the same sampling rate and number of channels.
"""

from __future__ import annotations

import io
import re
import string
import struct
from pathlib import Path

import numpy as np
from scipy.io import wavfile

from resolvent.data.errors import DataError, decoding, one_line, show
from resolvent.data.series import SeriesSet, as_series

FIELDS = ("label", "group", "index")
REMEDY = "convert it to plain PCM, for example with 'ffmpeg -i in.wav -c:a pcm_s16le out.wav'"


def parse_file(data: bytes) -> SeriesSet:
    """Parse one `.wav` file into a set of one series without a label. Raises DataError."""
    rate, samples = decode(data)
    return SeriesSet([samples], sampling_rate=rate)


def parse_folder(folder: Path, pattern: str | None) -> SeriesSet:
    """Read a folder of `.wav` files in the order of their names.

    Args:
        folder: Without a pattern each of its sub-folders is a class; with one, every `.wav` file
            under it is matched against the pattern.
        pattern: File name with {label}, {group} and {index} in place of what varies, for example
            "{label}_{group}_{index}.wav". Without {label} the set is unlabelled.

    Returns:
        The set; groups are known when the pattern has {group}.

    Raises:
        DataError: Names the file, what was found, what was expected and what to do.
    """
    try:
        files = sorted(
            (f for f in folder.rglob("*") if f.suffix.lower() == ".wav" and f.is_file()),
            key=lambda file: file.relative_to(folder).parts,
        )
    except OSError as error:
        raise DataError(f"folder not readable ({error.strerror}); check permissions") from error
    if not files:
        raise DataError(
            "found no .wav file; expected a folder for each class, or files and pattern="
        )
    if pattern is None:
        parts = [{"label": _folder_label(file, folder)} for file in files]
    else:
        expression = _compile(pattern)
        parts = [_match(expression, pattern, file.name) for file in files]
    X: list[np.ndarray] = []
    rate = None
    for file in files:
        name = show(str(file.relative_to(folder)), 80)
        try:
            found, samples = decode(file.read_bytes())
        except DataError as error:
            raise DataError(f"{name}: {error}") from error
        except OSError as error:
            raise DataError(f"{name}: not readable ({error.strerror})") from error
        rate = found if rate is None else rate
        if X and (found != rate or samples.shape[1] != X[0].shape[1]):
            raise DataError(
                f"{name}: found {found} Hz and {samples.shape[1]} channels; expected {rate} Hz and "
                f"{X[0].shape[1]} as in {show(files[0].name)}; convert it"
            )
        X.append(samples)
    y, groups = (
        np.array([part[key] for part in parts], dtype=object) if key in parts[0] else None
        for key in ("label", "group")
    )
    ids = np.array([file.relative_to(folder).as_posix() for file in files])
    return SeriesSet(X, y, groups, sampling_rate=rate, ids=ids)


def decode(data: bytes) -> tuple[int, np.ndarray]:
    """Return the sampling rate in Hz and the samples (time, channels) as float32.

    Raises:
        DataError: When the bytes are not a whole PCM or floating-point WAV file.
    """
    if not data:
        raise DataError("found an empty file; expected sound; leave it out")
    _refuse_cut(data)
    with decoding("a WAV file", REMEDY):
        rate, samples = wavfile.read(io.BytesIO(data))
    if samples.ndim == 1:
        samples = samples[:, None]
    if rate <= 0:
        raise DataError(f"found a sampling rate of {rate} Hz; expected a positive one; {REMEDY}")
    kind, bits = samples.dtype.kind, 8 * samples.dtype.itemsize
    if kind == "u":
        samples = (samples.astype(np.float64) - 128.0) / 128.0
    elif kind == "i":
        samples = samples / 2.0 ** (bits - 1)
    return rate, as_series(samples, "samples")


def _refuse_cut(data: bytes) -> None:
    """Hold the declared size of each RIFF chunk to the bytes that are there."""
    place = 12
    while data[:4] == b"RIFF" and place + 8 <= len(data):
        (size,) = struct.unpack_from("<I", data, place + 4)
        place += 8
        if size > len(data) - place:
            raise DataError(
                f"found a chunk of {len(data) - place} bytes; expected {size}; the file is cut off "
                "or damaged, copy it again"
            )
        place += size + size % 2


def _folder_label(file: Path, folder: Path) -> str:
    parts = file.relative_to(folder).parts
    if len(parts) == 1:
        raise DataError(
            f"{show(file.name)}: found directly in the folder; expected a sub-folder for each "
            'class, or pattern="{label}_{index}.wav" ("{index}.wav" for no labels)'
        )
    return parts[0]


def _compile(pattern: str) -> re.Pattern[str]:
    """Turn "{label}_{index}.wav" into a regular expression with one group a field."""
    try:
        pieces = list(string.Formatter().parse(pattern))
    except ValueError as error:
        raise DataError(f"pattern {show(pattern)}: {one_line(str(error), 60)}") from error
    names = [name for _, name, _, _ in pieces if name is not None]
    if not names or set(names) - set(FIELDS) or len(set(names)) < len(names):
        raise DataError(
            f"pattern: found {show(pattern)}; expected {{label}}, {{group}} and {{index}}, each at "
            'most once, as in "{label}_{group}_{index}.wav"'
        )
    return re.compile(
        "".join(
            re.escape(text) + (f"(?P<{name}>.+?)" if name is not None else "")
            for text, name, _, _ in pieces
        ),
        re.IGNORECASE,
    )


def _match(expression: re.Pattern[str], pattern: str, name: str) -> dict[str, str]:
    found = expression.fullmatch(name)
    if found is None:
        raise DataError(
            f"{show(name)}: found a name unlike the pattern {show(pattern)}; expected all to "
            "match; move the file away or change the pattern"
        )
    return {key: value for key, value in found.groupdict().items() if key != "index"}
