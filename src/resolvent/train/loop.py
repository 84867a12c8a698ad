"""The training loop: one for every model and task.

A run is a function of (model, data, task, config): a step is named by its number, from which follow
its batch, its random numbers and its learning rate. Killed at any moment and resumed, it therefore
ends in bit-identical weights; and every file of its folder is written whole or not at all.
"""

import math
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from torch import nn

from resolvent.train import checkpoint as files
from resolvent.train.config import TrainConfig
from resolvent.train.evaluate import evaluate
from resolvent.train.history import best_row, make_row, out_of_patience
from resolvent.train.interrupt import StopRequest, TrainingInterrupted
from resolvent.train.optim import make_optimizer, make_scheduler
from resolvent.train.progress import Display
from resolvent.train.seeding import deterministic
from resolvent.train.source import Source, batches
from resolvent.train.step import Stepper
from resolvent.train.task import Task


@dataclass(frozen=True)
class FitResult:
    """How a run ended. The model then holds its best weights, in evaluation mode.

    Attributes:
        status: "finished" (all steps taken) or "stopped early" (patience ran out).
        step: Steps taken.
        best: The row of `history` whose weights were kept.
        history: One row a validation: step, epoch, lr, seconds, train_loss, valid_...
        run_dir: The folder of the run; None if there was none.
    """

    status: Literal["finished", "stopped early"]
    step: int
    best: dict
    history: list[dict]
    run_dir: Path | None


def fit(
    model: nn.Module,
    train_source: Source,
    valid_source: Source | None,
    task: Task,
    config: TrainConfig,
    run_dir: Path | str | None = None,
    resume: bool = False,
    quiet: bool = False,
) -> FitResult:
    """Train `model` in place and leave it with its best weights by the monitored metric.

    Under `accelerate launch` or `torchrun` every process calls this with the same arguments; each
    takes its share of every batch, and only the main one writes.

    Args:
        model: Called as model(x (b, l, c), lengths=(b,)) -> output for the task. It is moved to
            accelerate's device.
        train_source: Training batches by (epoch, position).
        valid_source: Validation batches; None: the last weights count as the best.
        task: Loss and metrics.
        config: Everything else.
        run_dir: Folder for config.json, metrics.jsonl, model.safetensors (best weights) and
            checkpoint.safetensors. None: a temporary one, so nothing remains and nothing resumes.
        resume: Go on from the checkpoint in `run_dir`; without one, start anew. A finished run
            returns at once. Build the model as at the first start.
        quiet: Show no progress.

    Returns:
        How it ended.

    Raises:
        ValueError: The arguments do not fit each other or the run in `run_dir`.
        TrainingInterrupted: Ctrl-C or SIGTERM, after a checkpoint (given a `run_dir`).
        NonFiniteError: Loss or gradient became infinite or NaN. The last checkpoint stands.
    """
    with ExitStack() as stack:
        stack.enter_context(deterministic())
        folder = Path(run_dir or stack.enter_context(tempfile.TemporaryDirectory()))
        run = _Run(model, train_source, valid_source, task, config, folder)
        if run_dir is None and (resume or run.accelerator.num_processes > 1):
            raise ValueError("run_dir=None: resuming and several processes need a folder to share.")
        run.start(resume)
        stop = StopRequest()
        if run_dir is not None:  # otherwise there is nothing to save: Ctrl-C stops at once
            stack.enter_context(stop)
        silent = quiet or not run.accelerator.is_main_process
        display = Display(run.total, run.state.step, silent, task.unit)
        run.train(stop, stack.enter_context(display))
        run.accelerator.wait_for_everyone()
        step = files.load_weights(folder / files.WEIGHTS, model)["step"]
    model.eval()
    state = run.state
    best = next(row for row in state.history if row["step"] == step)
    status = "finished" if state.step == run.total else "stopped early"
    return FitResult(status, state.step, best, state.history, folder if run_dir else None)


class _Run:
    """One run: what it was given, and where it stands (`state`)."""

    def __init__(
        self,
        model: nn.Module,
        train_source: Source,
        valid_source: Source | None,
        task: Task,
        config: TrainConfig,
        folder: Path,
    ) -> None:
        _check(train_source, valid_source, task, config)
        self.model, self.task, self.config, self.folder = model, task, config, folder
        self.train_source, self.valid_source = train_source, valid_source
        self.metric = None if valid_source is None else config.metric or task.metric
        self.total = config.total_steps(len(train_source))
        self.accelerator = Accelerator(mixed_precision="no")  # Stepper does it: see its autocast
        self.optimizer = make_optimizer(model, config)
        self.stepper = Stepper(model, self.optimizer, task, config, self.accelerator)
        self.state = files.RunState()

    def start(self, resume: bool) -> None:
        """Stand at the checkpoint, or at step 0 with a checkpoint of the untrained model."""
        path = self.folder / files.CHECKPOINT
        found = path.exists()
        if found and not resume:
            raise ValueError(
                f"run_dir={str(self.folder)!r} already holds a run: pass resume=True to go on with "
                "it, or choose another folder."
            )
        if found:
            self.state, facts = files.load_checkpoint(path, self.model, self.optimizer)
            files.compare_facts(facts, self._facts(), self.folder)
        self.scheduler = make_scheduler(self.optimizer, self.config, self.total, self.state.step)
        self.accelerator.wait_for_everyone()  # all have looked before anything is written
        self.saved = self.ticked = time.monotonic()
        if self.accelerator.is_main_process:
            self.folder.mkdir(parents=True, exist_ok=True)
            files.clear_leftovers(self.folder)
            files.update_config(self.folder, train=asdict(self.config))
            files.write_metrics(self.folder, self.state.history)
            if not found:
                self.checkpoint()

    def train(self, stop: StopRequest, display: Display) -> None:
        """Steps, validations and checkpoints until the last step, patience or a stop request."""
        validate_every = self.config.validate_every or len(self.train_source)
        while not self.over():
            epoch, start = divmod(self.state.step, len(self.train_source))
            before = self.state.step
            for batch in batches(self.train_source, epoch, start):
                stopping = self.step(batch, stop, display)
                if self.state.step % validate_every == 0 or self.state.step == self.total:
                    display.row(self.validate(), self.metric)
                if self.over() or stopping:
                    break
                if time.monotonic() - self.saved >= self.config.checkpoint_seconds:
                    self.checkpoint()
            if self.state.step == before:
                raise ValueError(f"train_source has no batch {start} in epoch {epoch}.")
            if stopping and not self.over():
                self.checkpoint()
                raise TrainingInterrupted(
                    f"stopped on request at step {self.state.step} of {self.total}. To go on: the "
                    f"same call with run_dir={str(self.folder)!r} and resume=True."
                )
        self.checkpoint()

    def step(self, batch, stop: StopRequest, display: Display) -> bool:
        """One optimiser step; returns whether any process was asked to stop."""
        loss_sum, count, stopping = self.stepper(batch, self.state.step, stop)
        self.scheduler.step()
        self.state.step += 1
        self.state.loss_sum += loss_sum
        self.state.loss_count += count
        display.step(self.state.step, loss_sum / count, count)
        return stopping

    def validate(self) -> dict:
        """Close a row of the history; keep the weights if they are the best so far."""
        numbers = {
            "step": self.state.step,
            "epoch": math.ceil(self.state.step / len(self.train_source)),
            "lr": self.scheduler.get_last_lr()[0],
            "seconds": round(self.tick(), 3),
            "train_loss": self.state.loss_sum / self.state.loss_count,
        }
        if self.valid_source is not None:
            if self.accelerator.num_processes > 1:
                for buffer in self.model.buffers():
                    broadcast(buffer)  # judge the running statistics that the main process keeps
            scores = evaluate(self.model, self.valid_source, self.task, self.accelerator)
            numbers |= {f"valid_{name}": value for name, value in scores.items()}
        row = make_row(numbers)
        self.state.history.append(row)
        self.state.loss_sum, self.state.loss_count = 0.0, 0
        if self.accelerator.is_main_process:
            if best_row(self.state.history, self.metric) is row:
                files.save_weights(self.folder / files.WEIGHTS, self.model, step=row["step"])
            files.write_metrics(self.folder, self.state.history)
        return row

    def over(self) -> bool:
        """Whether every step is taken or patience ran out."""
        tired = out_of_patience(self.state.history, self.metric, self.config.patience)
        return self.state.step >= self.total or tired

    def checkpoint(self) -> None:
        """Replace the checkpoint by the present moment."""
        self.tick()
        if self.accelerator.is_main_process:
            path = self.folder / files.CHECKPOINT
            files.save_checkpoint(path, self.model, self.optimizer, self.state, self._facts())
        self.saved = time.monotonic()

    def tick(self) -> float:
        """Bring `state.seconds` up to now, and return it."""
        now = time.monotonic()
        self.state.seconds += now - self.ticked
        self.ticked = now
        return self.state.seconds

    def _facts(self) -> dict:
        """What a resumption is held to, and the environment its last bits depend on."""
        return {
            "config": asdict(self.config),
            "steps_per_epoch": len(self.train_source),
            "environment": {
                "torch": torch.__version__,
                "device": self.accelerator.device.type,
                "threads": torch.get_num_threads(),
                "processes": self.accelerator.num_processes,
            },
        }


def _check(
    train_source: Source, valid_source: Source | None, task: Task, config: TrainConfig
) -> None:
    """Hold the arguments of a run against each other, before anything is written."""
    for name, source in (("train_source", train_source), ("valid_source", valid_source)):
        if source is not None and len(source) == 0:
            raise ValueError(f"{name} has no batches: give it at least one row.")
    known, metric = ("loss", *task.names), config.metric or task.metric
    if metric not in known:
        raise ValueError(f"metric={metric!r}: this task reports {', '.join(known)}.")
    for name in ("metric", "patience"):
        if getattr(config, name) is not None and valid_source is None:
            raise ValueError(f"{name} is set but valid_source is None: give validation data.")
