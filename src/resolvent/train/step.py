"""One optimiser step: the exact gradient of a batch's mean loss, over any parts and processes."""

import math
from collections.abc import Mapping
from contextlib import nullcontext

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim import Optimizer

from resolvent.layers.mixer import take_costs
from resolvent.train.config import TrainConfig
from resolvent.train.interrupt import StopRequest
from resolvent.train.seeding import seed_all
from resolvent.train.source import share
from resolvent.train.task import Task


class NonFiniteError(ArithmeticError):
    """Loss or gradient is infinite or NaN; the step was not taken."""


class Stepper:
    """Takes optimiser steps.

    Args:
        model: Moved to the accelerator's device, and wrapped for data parallelism.
        optimizer: Over the model's parameters.
        task: The loss.
        config: seed, accumulation, precision, grad_clip.
        accelerator: Device and processes.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        task: Task,
        config: TrainConfig,
        accelerator: Accelerator,
    ) -> None:
        self.model, self.optimizer, self.task, self.config = model, optimizer, task, config
        self.accelerator = accelerator
        self._parallel = accelerator.prepare_model(model)

    def __call__(self, batch, step: int, stop: StopRequest) -> tuple[float, int, bool]:
        """Take step number `step` on the whole batch.

        Args:
            batch: What a Source yields; the same on every process, each takes its rows.
            step: Names the random numbers of this step.
            stop: Whether this process was asked to stop.

        Returns:
            Loss summed over the batch, how many terms it has, whether any process was asked to
            stop.

        Raises:
            NonFiniteError: The parameters are then as before the step.
            ValueError: The batch has no labels.
        """
        if batch.y is None:
            raise ValueError("train_source has no labels (y is None): training needs them.")
        seed_all(self.config.seed, step, self.accelerator.process_index)
        count = self.task.count(batch.y)
        self.optimizer.zero_grad()
        total = self._backward(batch, count)
        stopping = stop.requested
        if self.accelerator.num_processes > 1:
            pair = torch.stack([total, torch.full_like(total, float(stopping))])
            total, wishes = self.accelerator.reduce(pair)
            stopping = wishes.item() > 0
        norm = get_total_norm([p.grad for p in self.model.parameters() if p.grad is not None])
        if not math.isfinite(total.item() + norm.item()):
            raise NonFiniteError(self._explain(batch, step, total.item() / count))
        if self.config.grad_clip is not None:
            clip_grads_with_norm_(self.model.parameters(), self.config.grad_clip, norm)
        self.optimizer.step()
        return total.item(), count, stopping

    def _backward(self, batch, count: int) -> Tensor:
        """Accumulate the gradient; returns the loss summed over this process's rows.

        Each part is divided by the count of the whole batch, so every division into parts and
        processes gives the same gradient. (DDP averages over processes: hence their number.)
        """
        parts, processes = self.config.accumulation, self.accelerator.num_processes
        device = self.accelerator.device
        bf16 = torch.autocast(device.type, torch.bfloat16, enabled=self.config.precision == "bf16")
        total = torch.zeros((), device=device)
        self.model.train()
        for number in range(parts):
            first = self.accelerator.process_index + processes * number
            part = share(batch, first, processes * parts, device)
            if processes == 1 and len(part.x) == 0:
                break  # fewer rows than parts; several processes must keep together
            last = number == parts - 1
            with nullcontext() if last else self.accelerator.no_sync(self._parallel):
                with bf16:
                    output = self._parallel(part.x, lengths=part.lengths)
                loss = self.task.loss(output, part.y)
                charged = loss + self.task.count(part.y) * take_costs(self.model)
                self.accelerator.backward(charged * (processes / count))
            total = total + loss.detach()
        return total

    def _explain(self, batch, step: int, loss: float) -> str:
        """Step and loss, largest gradients and parameters, rows of the batch, remedies."""
        parameters = dict(self.model.named_parameters())
        gradients = {name: p.grad for name, p in parameters.items() if p.grad is not None}
        config, rows = self.config, batch.index.tolist()
        return (
            f"loss {loss:g} at step {step}: loss or gradient is not finite, step not taken.\n"
            f"  largest gradients:  {_largest(gradients)}\n"
            f"  largest parameters: {_largest(parameters)}\n"
            f"  rows of the batch:  {', '.join(map(str, rows[:8]))}{', ...' if rows[8:] else ''}\n"
            f"Look for extreme values in those rows; or start again with a lower lr (now "
            f"{config.lr:g}), longer warmup ({config.warmup:g}), tighter grad_clip "
            f"({config.grad_clip})."
        )


def _largest(tensors: Mapping[str, Tensor], how_many: int = 3) -> str:
    """Names and largest magnitudes, non-finite tensors first."""
    peaks = {
        name: torch.nan_to_num(tensor.detach().abs().max(), nan=torch.inf, posinf=torch.inf).item()
        for name, tensor in tensors.items()
        if tensor.numel()
    }
    names = sorted(peaks, key=lambda name: -peaks[name])[:how_many]
    return ", ".join(f"{name} {peaks[name]:.3g}" for name in names) or "none"
