import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolvent.data import DataError, LabelEncoding, Missing, Preprocess, SeriesSet, Standardise


def gappy(seed: int, n: int = 4, channels: int = 3) -> SeriesSet:
    rng = np.random.default_rng(seed)
    X = [rng.normal(5, 3, size=(rng.integers(1, 20), channels)) for _ in range(n)]
    for x in X:
        x[rng.random(x.shape) < 0.4] = np.nan
    X[0][0] = 5.0  # no channel is missing throughout
    return SeriesSet(X)


@given(
    seed=st.integers(0, 10_000),
    fill=st.sampled_from(["forward", "zero"]),
    mask=st.sampled_from([None, True, False]),
)
def test_a_stream_sees_exactly_what_a_batch_sees(seed, fill, mask):
    series = gappy(seed)
    preprocess = Preprocess.fit(series, fill, mask)
    preprocess = Preprocess.from_dict(json.loads(json.dumps(preprocess.to_dict())))
    for x in series.X:
        whole, memory = preprocess.apply(x), preprocess.start()
        assert whole.dtype == np.float32 and whole.shape == (len(x), preprocess.n_outputs)
        assert np.isfinite(whole).all()
        for t, row in enumerate(x):
            seen, memory = preprocess.step(row, memory)
            np.testing.assert_array_equal(seen, whole[t])


def test_gaps_take_the_last_value_or_the_mean():
    nan = np.nan
    x = np.array([[nan, 1], [2, nan], [nan, nan], [4, 3]], dtype=np.float32)
    forward = [[0, 1], [2, 1], [2, 1], [4, 3]]
    zero = [[0, 1], [2, 0], [0, 0], [4, 3]]
    assert Missing("forward").apply(x).tolist() == forward
    assert Missing("zero").apply(x).tolist() == zero
    masked = Missing("forward", mask=True).apply(x)
    assert masked[:, :2].tolist() == forward
    assert masked[:, 2:].tolist() == [[0, 1], [1, 0], [0, 0], [1, 1]]


def test_the_future_does_not_leak():
    x = gappy(3, n=1).X[0]
    preprocess = Preprocess.fit(SeriesSet([x]))
    changed = x.copy()
    changed[len(x) // 2 :] = 7.0
    np.testing.assert_array_equal(
        preprocess.apply(changed)[: len(x) // 2], preprocess.apply(x)[: len(x) // 2]
    )


def test_mask_follows_the_training_set():
    assert Preprocess.fit(gappy(0)).n_outputs == 6
    assert Preprocess.fit(SeriesSet.of(np.ones((2, 3, 3)))).n_outputs == 3


def test_standardised_training_data_has_mean_zero_and_deviation_one():
    series = gappy(1, n=30)
    z = np.concatenate([Standardise.fit(series).apply(x) for x in series.X]).astype(np.float64)
    np.testing.assert_allclose(np.nanmean(z, axis=0), 0, atol=1e-6)  # float32 rounding
    np.testing.assert_allclose(np.nanstd(z, axis=0), 1, atol=1e-6)
    x = series.X[0]
    scale = Standardise.fit(series)
    np.testing.assert_allclose(scale.undo(scale.apply(x)), x, rtol=1e-5)


def test_constant_large_and_small_channels():
    values = np.stack([np.full(5, 3e7), 1e-20 * np.arange(5.0)], axis=1)
    scale = Standardise.fit(SeriesSet([values]))
    assert scale.std[0] == 1.0
    z = scale.apply(values.astype(np.float32))
    assert z[:, 0].tolist() == [0.0] * 5
    assert np.abs(z[:, 1]).max() < 10


def test_a_channel_that_is_missing_throughout_is_named():
    X = [np.array([[1.0, np.nan], [2.0, np.nan]])] * 3
    with pytest.raises(DataError, match="no value in channel 'pulse' of any series"):
        Standardise.fit(SeriesSet(X, channel_names=("level", "pulse")))


def test_other_channels_and_options_are_errors():
    preprocess = Preprocess.fit(gappy(0))
    with pytest.raises(DataError, match="found 2 channels; expected 3"):
        preprocess.apply(np.ones((4, 2)))
    with pytest.raises(ValueError, match="expected 'forward' or 'zero'"):
        Missing("backward")


@pytest.mark.parametrize("y", [["b", "a", "b"], [3, 1, 3], [True, False, True]])
def test_labels_there_and_back(y):
    encoding = LabelEncoding.fit(y)
    encoding = LabelEncoding.from_dict(json.loads(json.dumps(encoding.to_dict())))
    codes = encoding.encode(y)
    assert codes.dtype == np.int64 and codes.tolist() == [1, 0, 1]
    assert encoding.decode(codes).tolist() == y


def test_labels_that_cannot_be_classes():
    with pytest.raises(DataError, match="found a single class 'a'"):
        LabelEncoding.fit(["a", "a"])
    with pytest.raises(DataError, match="floats are regression targets"):
        LabelEncoding.fit([1.0, 2.0])
    with pytest.raises(
        DataError, match=r"series 1: found label 'c'; expected one of the 2 classes"
    ):
        LabelEncoding.fit(["a", "b"]).encode(["a", "c"])
