"""A run that is killed or stopped at any moment and resumed ends like one that was not."""

import json
import multiprocessing
import os
import random
import signal
import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from resolvent.train import Classification, TrainingInterrupted, fit
from resolvent.train.checkpoint import CHECKPOINT, METRICS, WEIGHTS
from train import toy_training
from train.toy_training import CONFIG, Toy, make_source

PROCESSES = multiprocessing.get_context("forkserver")
# imported once, not once a process
PROCESSES.set_forkserver_preload(
    ["resolvent.train", "resolvent.data.loader", "sklearn.metrics", "torch._dynamo"]
)


def start(target, *args):
    process = PROCESSES.Process(target=target, args=args)
    process.start()
    return process


def tensors(path):
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def rows(folder):
    """metrics.jsonl without the clock."""
    lines = [json.loads(line) for line in (folder / METRICS).read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


def assert_same_run(one, other):
    """Same files to the bit: last weights, optimiser moments, best weights, metrics."""
    for name in (CHECKPOINT, WEIGHTS):
        mine, yours = tensors(one / name), tensors(other / name)
        assert mine.keys() == yours.keys()
        for key in mine:
            assert torch.equal(mine[key], yours[key]), f"{name}: {key}"
    assert rows(one) == rows(other)


def run(folder, model=None, resume=True, config=CONFIG):
    model = model or Toy()
    valid = make_source(seed=2)
    return fit(model, make_source(), valid, Classification(), config, folder, resume, quiet=True)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    run(folder)
    return folder


def written(folder):
    """When the checkpoint was last replaced; None without one."""
    path = folder / CHECKPOINT
    return path.stat().st_mtime_ns if path.exists() else None


def kill_and_resume(folder, kills, slow, longest):
    """Start the run again and again, each time killed after a random while; then let it end."""
    for _ in range(kills):
        before = written(folder)
        process = start(toy_training.main, folder, slow)
        while process.is_alive() and written(folder) == before:
            time.sleep(0.005)
        process.join(random.uniform(0.0, longest))
        process.kill()
        process.join()
    process = start(toy_training.main, folder, 0.0)
    process.join()
    assert process.exitcode == 0


def test_sigkill_at_random_moments(tmp_path, undisturbed):
    kill_and_resume(tmp_path, kills=3, slow=0.05, longest=0.4)
    assert_same_run(tmp_path, undisturbed)
    assert not list(tmp_path.glob(".*.tmp"))


@pytest.mark.slow
def test_sigkill_at_many_moments(tmp_path, undisturbed):
    for number in range(4):
        kill_and_resume(tmp_path / str(number), kills=8, slow=0.02, longest=0.3)
        assert_same_run(tmp_path / str(number), undisturbed)


class Killed(BaseException):
    """Stands for SIGKILL at a chosen instant."""


@pytest.mark.parametrize("name", [CHECKPOINT, WEIGHTS, METRICS])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("write", [1, 3])
def test_kill_around_the_rename(tmp_path, undisturbed, monkeypatch, name, when, write):
    """A kill between temporary file and rename, or between two files, costs nothing."""
    replace_file, seen = os.replace, []

    def dying(source, target):
        seen.append(Path(target).name)
        dies = seen.count(name) == write and seen[-1] == name
        if dies and when == "before":
            raise Killed
        replace_file(source, target)
        if dies:
            raise Killed

    monkeypatch.setattr(os, "replace", dying)
    with pytest.raises(Killed):
        run(tmp_path)
    monkeypatch.undo()
    run(tmp_path)
    assert_same_run(tmp_path, undisturbed)


@pytest.fixture
def listening():
    """A process that heeds SIGINT; a shell starts those in the background deaf to it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.usefixtures("listening")
def test_signal_stops_with_a_checkpoint(tmp_path, undisturbed, number):
    class Stopping(Toy):
        steps = 0

        def forward(self, x, lengths):
            self.steps += self.training
            if self.training and self.steps == 13:
                signal.raise_signal(number)
            return super().forward(x, lengths)

    before = signal.getsignal(number)
    with pytest.raises(TrainingInterrupted, match=r"step 13 of 30.*resume=True"):
        run(tmp_path, Stopping(), config=replace(CONFIG, checkpoint_seconds=1e6))
    assert signal.getsignal(number) is before
    run(tmp_path, config=replace(CONFIG, checkpoint_seconds=1e6))
    assert_same_run(tmp_path, undisturbed)


@pytest.mark.usefixtures("listening")
def test_second_signal_stops_at_once(tmp_path):
    class Impatient(Toy):
        def forward(self, x, lengths):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt) as caught:
        run(tmp_path, Impatient())
    assert not isinstance(caught.value, TrainingInterrupted)


def test_finished_run_returns_at_once(undisturbed):
    class Untouchable(Toy):
        def forward(self, x, lengths):
            raise AssertionError("a finished run needs no forward")

    result = run(undisturbed, model := Untouchable())
    assert (result.status, result.step) == ("finished", 30)
    best = tensors(undisturbed / WEIGHTS)
    assert all(torch.equal(best[name], value) for name, value in model.state_dict().items())


def test_caller_randomness_is_given_back(tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    run(tmp_path)
    assert torch.equal(torch.rand(3), expected)


def test_another_config_or_data_is_refused(undisturbed):
    with pytest.raises(ValueError, match=r"lr: 0.5, but the run in .* has 0.02"):
        run(undisturbed, config=replace(CONFIG, lr=0.5))
    with pytest.raises(ValueError, match="batches an epoch: 10, but"):
        fit(Toy(), make_source(4), make_source(seed=2), Classification(), CONFIG, undisturbed, True)
    with pytest.raises(ValueError, match="already holds a run: pass resume=True"):
        run(undisturbed, resume=False)
    with pytest.raises(ValueError, match="written for another model"):
        run(undisturbed, torch.nn.Linear(2, 2))


def test_damaged_checkpoint_is_named(tmp_path):
    (tmp_path / CHECKPOINT).write_bytes(b"half a checkpoint")
    with pytest.raises(ValueError, match="checkpoint.safetensors is not a safetensors file"):
        run(tmp_path)


def test_two_processes_equal_one(tmp_path):
    """Same global batch on two processes; only the main one writes. Tolerance: float32 sums."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    together, alone = tmp_path / "together", tmp_path / "alone"
    pair = [start(toy_training.main_parallel, rank, port, together) for rank in (0, 1)]
    for process in pair:
        process.join(120)
    assert [process.exitcode for process in pair] == [0, 0]
    run(alone, Toy(dropout=0.0))
    for name in (CHECKPOINT, WEIGHTS):
        mine, yours = tensors(together / name), tensors(alone / name)
        assert mine.keys() == yours.keys()
        for key in mine:
            torch.testing.assert_close(mine[key], yours[key], rtol=1e-4, atol=1e-5)
    assert [row["step"] for row in rows(together)] == [row["step"] for row in rows(alone)]
    assert set((tmp_path / "writers").read_text().split()) == {"0"}
