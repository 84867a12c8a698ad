"""Made-up series for experiments: seeded, small, and each with one known difficulty."""

from __future__ import annotations

import numpy as np

from resolvent.data.series import SeriesSet


def white_signal(
    n: int, length: int, dt: float = 1.0, cutoff: float = 0.05, rms: float = 0.5, seed: int = 0
) -> np.ndarray:
    """Draw band-limited white noise.

    The spectrum is complex normal up to `cutoff` and zero above it, at zero frequency and at the
    Nyquist frequency; every signal is then shifted to start at 0, so that a linear system at rest
    meets no jump.
    Source: the WhiteSignal process of Nengo (Bekolay et al., 2014), as used for the delay task of
    Gu et al., "How to train your HiPPO", 2022, arXiv:2206.12037.

    Args:
        n: Number of signals.
        length: Time steps.
        dt: Time between steps, in seconds.
        cutoff: Highest frequency, in cycles per second; below 1/(2 dt).
        rms: Root mean square before the shift, in expectation.
        seed: Fixes the draw.

    Returns:
        float64 (n, length).

    Raises:
        ValueError: When no frequency lies between 0 and the cutoff at this length.
    """
    rng = np.random.default_rng(seed)
    frequencies = np.fft.rfftfreq(length, dt)
    kept = (frequencies > 0) & (frequencies <= cutoff) & (frequencies < 0.5 / dt)
    if not kept.any():
        raise ValueError(
            f"cutoff: received {cutoff} with length={length}, dt={dt}; expected at least "
            f"{1 / (length * dt)}, the lowest frequency there is; raise cutoff or length"
        )
    spectrum = np.zeros((n, len(frequencies)), dtype=np.complex128)
    shape = (n, int(kept.sum()))
    spectrum[:, kept] = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    # Parseval: the mean square of irfft(S) is 2 sum |S|^2 / length^2, and E|S|^2 = 2 per line.
    signal = np.fft.irfft(spectrum, length) * rms * length / (2.0 * np.sqrt(shape[1]))
    return signal - signal[:, :1]


def delay(
    n: int, length: int, lag: int, dt: float = 1.0, cutoff: float = 0.05, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the delay task: give back the input of `lag` steps ago.

    A linear system solves it as well as its memory reaches, so it measures how the window of an
    initialisation and the step size fit the lag.
    Source: Gu et al., arXiv:2206.12037 (length 4,000, lag 1,000, dt 0.00025 s, cutoff 1,000 Hz).

    Args:
        n: Number of signals.
        length: Time steps.
        lag: Steps between input and target, from 0 to length - 1.
        dt: Time between steps, in seconds.
        cutoff: Highest frequency of the input, in cycles per second.
        seed: Fixes the draw.

    Returns:
        Input u and target y, float64 (n, length, 1): y[t] = u[t - lag], and 0 for t < lag.

    Raises:
        ValueError: When the lag is not within the length.
    """
    if not 0 <= lag < length:
        raise ValueError(f"lag: received {lag}; expected 0 to {length - 1}, less than the length")
    u = white_signal(n, length, dt, cutoff, seed=seed)[:, :, None]
    y = np.zeros_like(u)
    y[:, lag:] = u[:, : length - lag]
    return u, y


def recall(n: int, length: int, classes: int = 4, cue: int = 8, seed: int = 0) -> SeriesSet:
    """Draw a classification task whose difficulty is memory.

    The first `cue` steps hold the pattern of the class, a fixed random sequence; all that follows
    is white noise of the same power that says nothing. A model read out at the last step must have
    carried the class over length - cue steps, so accuracy against length shows how far its memory
    reaches. Read out at the end, not averaged over time.
    Source: the latching problem of Bengio, Simard and Frasconi, "Learning long-term dependencies
    with gradient descent is difficult", 1994, with patterns in place of levels.

    Args:
        n: Number of series; classes take turns, in shuffled order.
        length: Time steps, at least `cue`.
        classes: Number of patterns; they depend on nothing but `classes` and `cue`.
        cue: Steps of the pattern.
        seed: Fixes noise and order, so that train and test sets take different seeds.

    Returns:
        Single-channel series with integer labels.

    Raises:
        ValueError: When the length is shorter than the cue, or there are fewer than two classes.
    """
    if length < cue or classes < 2:
        raise ValueError(
            f"recall: received length={length}, cue={cue}, classes={classes}; expected "
            "length >= cue and classes >= 2"
        )
    patterns = np.random.default_rng([classes, cue]).normal(size=(classes, cue))
    patterns /= np.sqrt((patterns**2).mean(axis=1, keepdims=True))
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % classes)
    X = rng.normal(size=(n, length, 1))
    X[:, :cue, 0] = patterns[y]
    return SeriesSet(list(X), y, name=f"recall over {length} steps")


def sinusoids(
    n: int, length: int, classes: int = 4, rate: float = 1.0, noise: float = 0.5, seed: int = 0
) -> SeriesSet:
    """Draw noisy sinusoids whose frequency is the class.

    Frequencies are fixed in cycles per second, so that the same signals can be drawn at another
    sampling rate: with `rate` and `length` halved, a model in continuous time should do as well
    with its step size doubled (Gu et al., LSSL, 2021, arXiv:2110.13985).

    Args:
        n: Number of series; classes take turns, in shuffled order.
        length: Time steps.
        classes: Number of frequencies, spread evenly in logarithm from 0.01 to 0.1 Hz.
        rate: Time steps per second; above 0.2, twice the highest frequency.
        noise: Standard deviation of the white noise; the sinusoids have amplitude 1.
        seed: Fixes phases, noise and order.

    Returns:
        Single-channel series with integer labels and their sampling rate.

    Raises:
        ValueError: When the rate is too low for the frequencies, or there are fewer than two
            classes.
    """
    if rate <= 0.2 or classes < 2:
        raise ValueError(
            f"sinusoids: received rate={rate}, classes={classes}; expected rate > 0.2 and "
            "classes >= 2"
        )
    rng = np.random.default_rng(seed)
    frequencies = np.geomspace(0.01, 0.1, classes)
    y = rng.permutation(np.arange(n) % classes)
    phase = rng.uniform(0, 2 * np.pi, size=(n, 1))
    angle = 2 * np.pi * frequencies[y, None] * np.arange(length) / rate + phase
    X = np.sin(angle) + noise * rng.normal(size=(n, length))
    return SeriesSet(list(X[:, :, None]), y, name="sinusoids", sampling_rate=rate)
