"""What only a process of its own can show: start-up, pipes, signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file

from cli.tiny_run import SMALL, table
from resolvent.cli import main

COMMAND = [sys.executable, "-m", "resolvent"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def test_help_does_not_load_torch():
    code = (
        "import sys; from resolvent.cli import main\n"
        "for argv in (['--help'], ['fit', '--help'], ['stream', '--help'], ['fti']):\n"
        "    try: main(argv)\n"
        "    except SystemExit as exit: assert not exit.code\n"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0
    assert "examples:" in done.stdout and "resolvent fit --list" in done.stdout


def wait_for_rows(path, count: int, process: subprocess.Popen) -> None:
    """Wait until a metrics file has so many lines, and the process still runs."""
    for _ in range(1200):
        assert process.poll() is None, process.communicate()
        if path.exists() and path.read_text().count("\n") >= count:
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} never had {count} rows")


@pytest.mark.slow
def test_stopped_and_killed_runs_resume_to_the_same_weights(tmp_path):
    (tmp_path / "train.csv").write_text(table(24))
    source = [str(tmp_path / "train.csv"), "--id", "case", "--time", "step", "--epochs", "40"]
    source += ["--patience", "1000"]
    assert main(["fit", *source, *SMALL, "--out", str(tmp_path / "whole")]) == 0
    command = [*COMMAND, "fit", *source, *SMALL, "--out", str(tmp_path / "torn")]
    for stop, rows, code in ((signal.SIGTERM, 2, 130), (signal.SIGKILL, 6, -9)):
        process = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
        wait_for_rows(tmp_path / "torn" / "metrics.jsonl", rows, process)
        process.send_signal(stop)
        _, said = process.communicate()
        assert process.returncode == code and "Traceback" not in said
    assert not (tmp_path / "torn" / "scores.json").exists()
    assert main(command[3:]) == 0
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    weights = [load_file(run / "model.safetensors") for run in (whole, torn)]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    scores = [json.loads((run / "scores.json").read_text()) for run in (whole, torn)]
    assert scores[0]["validation"] == scores[1]["validation"]


def test_another_run_is_not_resumed(tmp_path, capsys):
    (tmp_path / "train.csv").write_text(table())
    command = ["fit", str(tmp_path / "train.csv"), "--id", "case", "--time", "step", *SMALL]
    command += ["--out", str(tmp_path / "run"), "--epochs", "2"]
    assert main(command) == 0
    (tmp_path / "run" / "scores.json").unlink()  # as if it had been interrupted
    assert main([*command, "--dropout", "0.3"]) == 2
    assert "an unfinished run with dropout 0.1 is here, now it is 0.3" in capsys.readouterr().err
    (tmp_path / "train.csv").write_text(table(seed=5))
    assert main(command) == 2
    assert "an unfinished run with sha256" in capsys.readouterr().err
    assert main([*command, "--overwrite"]) == 0
