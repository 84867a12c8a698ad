import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from resolvent.data import (
    Batch,
    BucketSampler,
    DataError,
    LabelEncoding,
    Preprocess,
    SeriesDataset,
    SeriesSet,
    collate,
    make_loader,
)


def ragged(n: int = 23, seed: int = 0) -> SeriesSet:
    rng = np.random.default_rng(seed)
    X = [rng.normal(size=(rng.integers(1, 30), 2)) for _ in range(n)]
    return SeriesSet(X, y=np.array(["u", "v", "w"])[np.arange(n) % 3])


def loader_of(series: SeriesSet, batch_size: int = 4, **options):
    return make_loader(
        SeriesDataset(series, encoding=LabelEncoding.fit(series.labels)), batch_size, **options
    )


def test_a_batch_holds_the_series_and_zeros():
    series = ragged()
    seen = []
    for batch in loader_of(series, seed=3):
        assert isinstance(batch, Batch)
        assert batch.x.shape[1] == batch.lengths.max() and batch.y is not None
        for x, length, y, index in zip(batch.x, batch.lengths, batch.y, batch.index, strict=True):
            np.testing.assert_array_equal(x[:length], series.X[index])
            assert not x[length:].any()
            assert "uvw"[y] == series.labels[index]
            seen.append(int(index))
    assert sorted(seen) == list(range(len(series)))


def test_targets_and_no_labels():
    targets = SeriesSet.of(np.ones((2, 3)), y=[0.5, 1.5])
    batch = collate([SeriesDataset(targets)[i] for i in range(2)])
    assert batch.y is not None and batch.y.dtype == torch.float32 and batch.y.tolist() == [0.5, 1.5]
    batch = collate([SeriesDataset(SeriesSet.of(np.ones((2, 3))))[1]])
    assert batch.y is None and batch.index.tolist() == [1]


def test_missing_values_need_a_decision():
    series = SeriesSet.of(np.array([[1.0, np.nan]]))
    with pytest.raises(DataError, match="Preprocess.fit"):
        SeriesDataset(series)
    assert SeriesDataset(series, Preprocess.fit(series))[0][0].shape == (2, 2)


def test_the_set_is_not_changed_through_the_dataset():
    series = ragged()
    before = series.X[0].copy()
    SeriesDataset(series)[0][0].zero_()
    np.testing.assert_array_equal(series.X[0], before)


def test_without_shuffling_the_order_is_the_sets_own():
    series = ragged()
    indices = [batch.index for batch in loader_of(series, shuffle=False)]
    assert torch.cat(indices).tolist() == list(range(len(series)))


def test_bucketing_saves_padding_and_epochs_differ():
    lengths = np.random.default_rng(0).integers(1, 1000, size=500)
    sampler = BucketSampler(lengths, 10)

    def padded(plan):
        return sum(len(batch) * lengths[batch].max() for batch in plan)

    whole = [list(range(i, i + 10)) for i in range(0, 500, 10)]
    assert padded(sampler.plan(0)) < 0.65 * padded(whole)  # measured 0.56
    assert sampler.plan(0) == BucketSampler(lengths, 10).plan(0) != sampler.plan(1)
    assert sampler.plan(0) != BucketSampler(lengths, 10, seed=1).plan(0)


@given(
    n=st.integers(1, 40), size=st.integers(1, 9), stop=st.integers(0, 60), seed=st.integers(0, 99)
)
def test_an_interrupted_order_goes_on_exactly(n, size, stop, seed):
    lengths = np.random.default_rng(seed).integers(1, 50, size=n)

    def endless(sampler):
        while True:
            yield from sampler

    sampler = BucketSampler(lengths, size, seed)
    whole = [batch for epoch in range(70) for batch in sampler.plan(epoch)]
    running = endless(sampler)
    assert [next(running) for _ in range(stop)] == whole[:stop]
    fresh = BucketSampler(lengths, size, seed)
    fresh.seek(sampler.epoch, sampler.batch)
    resumed = endless(fresh)
    assert [next(resumed) for _ in range(5)] == whole[stop : stop + 5]
    counted = BucketSampler(lengths, size, seed)
    counted.seek(*divmod(stop, len(counted)))
    assert next(iter(counted)) == whole[stop]


def test_the_loader_leaves_global_random_numbers_alone():
    before = torch.get_rng_state()
    list(loader_of(ragged()))
    assert torch.equal(before, torch.get_rng_state())


def test_positions_that_do_not_exist_are_refused():
    sampler = BucketSampler([1, 2, 3], 2)
    for epoch, batch in ((-1, 0), (0, 3), (0, -1)):
        with pytest.raises(ValueError, match="seek"):
            sampler.seek(epoch, batch)
    with pytest.raises(ValueError, match="batch_size"):
        BucketSampler([1], 0)
