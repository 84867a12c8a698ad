from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from resolvent.data import NAMED, DataError, catalogue, named, sources


def installed(name: str) -> bool:
    return find_spec(NAMED[name].package) is not None


@pytest.mark.parametrize("name", NAMED)
def test_what_is_promised_is_loaded(name):
    if not installed(name):
        pytest.skip(f"{NAMED[name].requirement} is not installed")
    entry = NAMED[name]
    train, test = named(name), named(name, "test")
    assert (len(train), len(test)) == entry.n
    lengths = np.concatenate([train.lengths, test.lengths])
    assert (lengths.min(), lengths.max()) == entry.length
    assert train.n_channels == test.n_channels == entry.channels
    assert train.name == name
    if entry.classes:
        assert len(train.classes) == entry.classes
        assert set(test.classes) <= set(train.classes)
    else:
        assert train.task == "regression"


@pytest.mark.skipif(not installed("watch"), reason="seglearn is not installed")
def test_watch_is_split_by_subject():
    train, test = named("Watch"), named("watch", "test")
    assert set(test.groups) == {8, 9, 10} and set(train.groups) == set(range(1, 8))
    assert len(named("watch", "all")) == 140
    assert train.sampling_rate == 50.0 and train.channel_names[0] == "ax"


def test_another_watch_file_is_not_unpickled(tmp_path):
    (tmp_path / "data").mkdir()
    np.save(tmp_path / "data" / "watch_dataset.npy", np.array({"X": []}), allow_pickle=True)
    with pytest.raises(DataError, match="SHA-256 differs"):
        sources.watch(tmp_path, "train")


def test_absent_packages_come_with_the_command(monkeypatch, tmp_path):
    monkeypatch.setattr(catalogue, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"run: pip install --no-deps seglearn==1\.2\.5"):
        named("watch")


def test_another_version_without_the_file(monkeypatch, tmp_path):
    class Spec:
        submodule_search_locations = [str(tmp_path)]

    monkeypatch.setattr(catalogue, "find_spec", lambda name: Spec)
    for name in NAMED:
        if name != "digits":
            with pytest.raises(DataError, match=r"\(pip install --no-deps [\w=.]+\): "):
                named(name)


def test_unknown_names_and_splits():
    with pytest.raises(DataError, match="found name 'wotch'; expected one of watch, acsf1"):
        named("wotch")
    with pytest.raises(DataError, match="found split 'valid'"):
        named("digits", "valid")


def test_every_entry_says_what_it_is():
    for entry in NAMED.values():
        assert entry.description and entry.licence and entry.citation and entry.split
        assert Path(entry.package).name == entry.package
