"""NumPy files, never with pickles.

`.npy` holds X alone. `.npz` holds X and, where known, y, lengths, groups, channel_names and
sampling_rate. X is (n, time, channels), or (n, time) for one channel. With `lengths` (n,) it is
(n, time, channels) padded on the right, or all series end to end: (sum of lengths, channels).
"""

from __future__ import annotations

import io
import math
import zipfile
from typing import Any

import numpy as np

from resolvent.data.errors import DataError, decoding, show
from resolvent.data.series import SeriesSet

KEYS = ("X", "y", "lengths", "groups", "channel_names", "sampling_rate")
SAFE_BYTES = 2**28
PLAUSIBLE_RATIO = 100
"""A compressed member may inflate to so many bytes, or so many times its own."""
REMEDY = "write it with numpy.savez(path, X=..., y=...) from plain numeric or string arrays"


def parse_npy(data: bytes) -> SeriesSet:
    """Parse a `.npy` file: X alone, without labels. Raises DataError."""
    return SeriesSet(_series(_array(data, "X"), None))


def parse_npz(data: bytes) -> SeriesSet:
    """Parse a `.npz` file with the keys named above. Raises DataError."""
    with decoding("an .npz archive", REMEDY), zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        unknown = sorted(set(members) - set(KEYS))
        if "X" not in members or unknown:
            what = f"key {show(unknown[0])}" if "X" in members else f"keys {show(sorted(members))}"
            raise DataError(f"found {what}; expected X and, if any, {', '.join(KEYS[1:])}")
        for key, info in members.items():
            _check_inflation(key, info)
        found = {
            key: _array(archive.open(info).read(info.file_size), key)
            for key, info in members.items()
        }
    rate = found.get("sampling_rate")
    if rate is not None and (rate.size != 1 or rate.dtype.kind not in "iuf"):
        raise DataError(f"sampling_rate: found shape {rate.shape}; expected one number")
    names = found.get("channel_names", np.array([]))
    return SeriesSet(
        _series(found["X"], found.get("lengths")),
        found.get("y"),
        found.get("groups"),
        channel_names=tuple(str(name) for name in names.ravel()[:100_000]),
        sampling_rate=None if rate is None else float(rate.ravel()[0]),
    )


def _check_inflation(key: str, member: zipfile.ZipInfo) -> None:
    """Refuse a member that would fill the memory from a file that is small."""
    if member.file_size > max(SAFE_BYTES, PLAUSIBLE_RATIO * member.compress_size):
        raise DataError(
            f"{key}: found {member.compress_size} bytes that inflate to {member.file_size}; "
            f"expected at most {PLAUSIBLE_RATIO} times as many; if it is meant, write it with "
            "numpy.savez, which does not compress"
        )


def _array(data: bytes, key: str) -> np.ndarray:
    """Decode one `.npy` payload after holding its declared size to the bytes that are there."""
    stream = io.BytesIO(data)
    with decoding("a NumPy array", REMEDY):
        version = np.lib.format.read_magic(stream)
        header: Any = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = header(stream)
    if dtype.hasobject:
        raise DataError(
            f"{key}: found Python objects; expected plain numbers or strings: pickles are never "
            "loaded; save unequal lengths end to end with a lengths array"
        )
    promised, present = math.prod(shape) * dtype.itemsize, len(data) - stream.tell()
    if min(shape, default=0) < 0 or promised != present:
        raise DataError(
            f"{key}: found {present} bytes for shape {show(shape)} of {show(str(dtype))}; expected "
            f"{show(promised)}; the file is damaged, write it again"
        )
    stream.seek(0)
    with decoding("a NumPy array", REMEDY):
        return np.lib.format.read_array(stream, allow_pickle=False)


def _series(X: np.ndarray, lengths: np.ndarray | None) -> list[np.ndarray]:
    """Cut X into series (time, channels)."""
    if X.dtype.kind not in "fiub":
        raise DataError(f"X: found values of type {X.dtype}; expected real numbers")
    if lengths is None:
        if X.ndim not in (2, 3):
            raise DataError(f"X: found shape {X.shape}; expected (n, time, channels) or (n, time)")
        return list(X if X.ndim == 3 else X[:, :, None])
    whole = lengths.ndim == 1 and lengths.size > 0 and lengths.dtype.kind in "iu"
    if not whole or (lengths < 1).any():
        raise DataError("lengths: expected one positive integer per series; correct the array")
    n, total = len(lengths), sum(lengths.tolist())
    if X.ndim == 3 and X.shape[0] == n and lengths.max() <= X.shape[1]:
        return [x[:length] for x, length in zip(X, lengths, strict=True)]
    if X.ndim in (1, 2) and X.shape[0] == total:
        return np.split(X.reshape(total, -1), np.cumsum(lengths.astype(np.int64))[:-1])
    raise DataError(
        f"X: found shape {X.shape} with {n} lengths of sum {total}; expected (n, time, channels) "
        "padded on the right, or (sum of lengths, channels) end to end"
    )
