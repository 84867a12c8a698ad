import numpy as np
import pytest

from resolvent.data import synthetic


def test_white_signal_has_its_band_and_its_power():
    signal = synthetic.white_signal(400, 1000, dt=0.001, cutoff=40.0, rms=0.5)
    assert not signal[:, 0].any()
    centred = signal - signal.mean(axis=1, keepdims=True)
    # 400 signals of 40 lines: the mean square is known to about 1 %
    assert np.sqrt((centred**2).mean()) == pytest.approx(0.5, rel=0.03)
    power = np.abs(np.fft.rfft(centred))
    assert power[:, 41:].max() < 1e-9 * power.max()
    assert power[:, 1:41].mean(axis=0).min() > 0.5 * power[:, 1:41].mean()


def test_delay_gives_the_past_back():
    u, y = synthetic.delay(3, 50, lag=7, seed=1)
    np.testing.assert_array_equal(y[:, 7:], u[:, :-7])
    assert not y[:, :7].any()
    same, _ = synthetic.delay(3, 50, lag=0, seed=1)
    np.testing.assert_array_equal(same, u)


def test_recall_is_told_apart_by_the_cue_alone():
    train, test = (synthetic.recall(200, 40, classes=4, cue=8, seed=seed) for seed in (0, 1))
    x = np.stack([s.ravel() for s in train.X])
    cues = np.stack([x[train.labels == k, :8][0] for k in range(4)])
    found = np.stack([s[:8, 0] for s in test.X]) @ cues.T
    assert (found.argmax(axis=1) == test.labels).all()
    later = np.stack([x[train.labels == k, 8:].mean(axis=0) for k in range(4)])
    guess = (np.stack([s[8:, 0] for s in test.X]) @ later.T).argmax(axis=1)
    assert (guess == test.labels).mean() < 0.45  # chance is 0.25


def test_sinusoids_are_the_same_at_another_rate():
    fine = synthetic.sinusoids(8, 100, rate=2.0, noise=0.0, seed=3)
    coarse = synthetic.sinusoids(8, 50, rate=1.0, noise=0.0, seed=3)
    np.testing.assert_array_equal(fine.labels, coarse.labels)
    for a, b in zip(fine.X, coarse.X, strict=True):
        np.testing.assert_allclose(a[::2], b, atol=1e-6)  # float32 rounding
    peak = [
        np.abs(np.fft.rfft(x[:, 0])).argmax() for x in synthetic.sinusoids(4, 1000, noise=0.0).X
    ]
    assert sorted(peak) == [10, 22, 46, 100]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: synthetic.white_signal(1, 10, cutoff=0.01), "cutoff"),
        (lambda: synthetic.delay(1, 10, lag=10), "lag"),
        (lambda: synthetic.recall(1, 4, cue=8), "length >= cue"),
        (lambda: synthetic.sinusoids(1, 10, rate=0.1), "rate > 0.2"),
    ],
)
def test_impossible_tasks_are_refused(make, says):
    with pytest.raises(ValueError, match=says):
        make()
