"""Pathfinder: are two dots on one line or on two? (Linsley et al. 2018; Tay et al. 2021)."""

from __future__ import annotations

import numpy as np

from resolvent.data.series import SeriesSet

LINE, DOT = 0.5, 1.0
"""Brightness of a line's pixel and of the two dots."""
BEND = 0.25
"""Standard deviation of a line's turn from pixel to pixel, in radians."""
NEAR = 2.0
"""Most pixels by which the distances of joined and of separate dots differ."""
ATTEMPTS = 200
"""Starts that are tried for a line before the image is begun anew."""


def pathfinder(
    n: int, size: int = 32, distractors: int = 2, gap: int = 1, seed: int = 0
) -> SeriesSet:
    """Draw images of dashed, bent lines that do not touch, read pixel by pixel.

    Two long lines, and distractors half as long. Both dots are at the ends of the first line (class
    1), or at an end of each of the two (class 0), as far apart as the first line's are: so their
    distance does not give the class away. A small relative of Long Range Arena's task, drawn here
    from scratch.

    Args:
        n: number of images; classes take turns, in shuffled order.
        size: pixels a side, at least 12.
        distractors: shorter lines.
        gap: pixels left out after every two of a line; 0 draws it whole.
        seed: fixes the draw; the same seed draws the same lines for any gap.

    Returns:
        Single-channel series of size² steps, row after row, in [0, 1].

    Raises:
        ValueError: the size is too small.
    """
    if size < 12:
        raise ValueError(f"size: expected at least 12, got {size}")
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % 2)
    X = np.zeros((n, size, size))
    for image, joined in zip(X, labels, strict=True):
        lines = dots = None
        while lines is None or dots is None:
            lines = _lines(rng, size, distractors)
            dots = None if lines is None else _dots(lines[0], lines[1], bool(joined))
        for line in lines:
            kept = np.arange(len(line)) % (2 + gap) < 2
            image[tuple(line[kept].T)] = LINE
        for dot in dots:
            image[tuple(dot)] = DOT
    return SeriesSet(list(X.reshape(n, size * size, 1)), labels, name=f"pathfinder {size}")


def _dots(first: np.ndarray, second: np.ndarray, joined: bool) -> tuple | None:
    """The ends of the first line, or one of each at about that distance; None if there are none."""
    own = np.linalg.norm(first[0] - first[-1])
    pairs = [(a, b) for a in (first[0], first[-1]) for b in (second[0], second[-1])]
    off = [abs(np.linalg.norm(a - b) - own) for a, b in pairs]
    if min(off) > NEAR:
        return None
    return (first[0], first[-1]) if joined else pairs[int(np.argmin(off))]


def _lines(rng: np.random.Generator, size: int, distractors: int) -> list[np.ndarray] | None:
    """Pixels of two long lines and of the distractors, apart from each other; None if stuck."""
    long = 3 * size // 4
    taken, lines = np.zeros((size + 2, size + 2), bool), []
    for length in [long] * 2 + [long // 2] * distractors:
        line = _line(rng, size, length, taken)
        if line is None:
            return None
        lines.append(line)
        for shift in np.ndindex(3, 3):  # its neighbours are taken too
            taken[tuple((line + shift).T)] = True
    return lines


def _line(rng: np.random.Generator, size: int, length: int, taken: np.ndarray) -> np.ndarray | None:
    """A bent line of ``length`` pixels that touches nothing taken; None after ATTEMPTS starts."""
    starts = rng.uniform(0, size, (ATTEMPTS, 1, 2))
    angles = rng.uniform(0, 2 * np.pi, (ATTEMPTS, 1)) + np.cumsum(
        BEND * rng.normal(size=(ATTEMPTS, length)), 1
    )
    moves = np.stack([np.sin(angles), np.cos(angles)], -1)
    moves /= np.abs(moves).max(-1, keepdims=True)  # to a neighbouring pixel, corners included
    pixels = np.floor(starts + np.cumsum(moves, 1)).astype(np.int64)
    inside = ((pixels >= 0) & (pixels < size)).all((1, 2))
    for line in pixels[inside]:
        if not taken[tuple((line + 1).T)].any():
            return line
    return None
