"""One small valid file of every kind, as bytes by file name."""

from __future__ import annotations

import io
import wave
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.io import wavfile

TS = b"""# two channels, unequal lengths, missing values
@problemName Example
@timeStamps false
@missing true
@univariate false
@dimensions 2
@equalLength false
@classLabel true walk run
@data
0.1,0.2,?:1.0,1.1,1.2:walk
0.3,0.4:1.3,NaN:run
3,4,5:1,2,3:run
"""

STAMPED = b"""@problemName Stamped
@timeStamps true
@targetLabel true
@data
(2007-01-01 00:01:00,2),(2007-01-01 00:00:00,1):(2007-01-01 00:01:00,4),(2007-01-01 00:00:00,?):1.5
(0,241.97),(1,241.75):(0,24),(1,25):2.5
"""


def long_table() -> pd.DataFrame:
    """Three series of two channels; the rows of the first are not in the order of time."""
    return pd.DataFrame(
        {
            "id": ["p", "p", "q", "q", "r"],
            "time": [1, 0, 0, 1, 0],
            "x": [2.0, 1.0, 3.0, None, 5.0],
            "z": [20, 10, 30, 40, 50],
            "label": ["a", "a", "b", "b", "a"],
            "subject": [7, 7, 8, 8, 7],
        }
    )


def wide_table() -> pd.DataFrame:
    """Three series of one channel, the second shorter and with a gap."""
    return pd.DataFrame(
        {
            "t0": [1, 4, 6],
            "t1": [2, None, 7],
            "t2": [3, 5, 8],
            "t3": [0, None, 9],
            "label": [0, 1, 0],
        }
    )


def written(write: Callable[[io.BytesIO], object]) -> bytes:
    stream = io.BytesIO()
    write(stream)
    return stream.getvalue()


def pcm24() -> bytes:
    def write(stream: io.BytesIO) -> None:
        with wave.open(stream, "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(3)
            sound.setframerate(8000)
            sound.writeframes(b"\x00\x00\x40\x00\x00\x80\xff\xff\x7f")

    return written(write)


def samples() -> dict[str, bytes]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3, 7, 2))
    dated = long_table().assign(time=pd.date_range("2020-01-01", periods=5))
    pcm16 = rng.integers(-3000, 3000, size=(100, 2), dtype=np.int16)
    return {
        "plain.ts": TS,
        "stamped.ts": STAMPED,
        "long.csv": long_table().to_csv(index=False).encode(),
        "dated.csv": dated.to_csv(index=False).encode(),
        "wide.csv": wide_table().to_csv(index=False).encode(),
        "long.parquet": written(dated.to_parquet),
        "wide.parquet": written(wide_table().to_parquet),
        "padded.npz": written(
            lambda f: np.savez(f, X=X, y=np.array(["a", "b", "a"]), lengths=[7, 3, 5])
        ),
        "joined.npz": written(
            lambda f: np.savez_compressed(f, X=X[0], y=[1.0, 2.0], lengths=[4, 3], groups=[1, 2])
        ),
        "array.npy": written(lambda f: np.save(f, X.astype(np.float32))),
        "flat.txt": b"1  0.5 0.6 0.7\n2 0.5 NaN 0.7\n1 0.1 0.2 NaN\n",
        "flat.tsv": b"1\t0.5\t0.6\n-1\t0.5\tNaN\n",
        "stereo.wav": written(lambda f: wavfile.write(f, 8000, pcm16)),
        "float.wav": written(lambda f: wavfile.write(f, 8000, X[0, :, 0].astype(np.float32))),
        "bytes.wav": written(lambda f: wavfile.write(f, 8000, np.arange(256, dtype=np.uint8))),
        "pcm24.wav": pcm24(),
    }
