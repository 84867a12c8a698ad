"""A small layer in plain torch that keeps the contract, and mutants that each break one promise.

`BREAKS` names, for every promise, a layer that must not keep it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from resolvent.layers import S4D
from resolvent.layers.invariant import InvariantLayer


class Memory(NamedTuple):
    h: Tensor


class Smoother(nn.Module):
    """Exponential smoothing h_t = a^dt h_{t-1} + u_t, y_t = c h_t + u_t, mixed over features."""

    def __init__(self, d_model: int):
        super().__init__()
        self.d_model = d_model
        self.decay = nn.Parameter(torch.rand(d_model))
        self.mix = nn.Parameter(torch.randn(d_model, d_model) / d_model**0.5)

    def initial_state(self, batch_size, device=None, dtype=None):
        dtype = dtype or self.decay.dtype
        return Memory(torch.zeros(batch_size, self.d_model, device=device, dtype=dtype))

    def factor(self, dt):
        rate = self.decay.exp()
        return torch.exp(-rate) if dt is None else torch.exp(-rate * dt[:, None])

    def update(self, h, u, dt):
        return self.factor(dt) * h + u

    def step(self, u_t, state, *, dt=None):
        h = self.update(state.h, u_t, dt)
        return self.read(h, u_t), Memory(h)

    def read(self, h, u):
        return (h @ self.mix).to(u.dtype) + u

    def begin(self, u, state):
        return self.initial_state(len(u), u.device).h if state is None else state.h

    def forward(self, u, state=None, *, dt=None, resets=None, lengths=None):
        h, ys = self.begin(u, state), []
        for t in range(u.shape[1]):
            now = (
                u[:, t]
                if lengths is None
                else torch.where((t < lengths)[:, None], u[:, t], torch.zeros_like(u[:, t]))
            )
            before = (
                h if resets is None else torch.where(resets[:, t, None], torch.zeros_like(h), h)
            )
            after = self.update(before, now, None if dt is None else dt[:, t])
            y = self.read(after, now)
            if lengths is not None:
                real = (t < lengths)[:, None]
                y, after = torch.where(real, y, torch.zeros_like(y)), torch.where(real, after, h)
            h = after
            ys.append(y)
        y = torch.stack(ys, 1) if ys else u * 1.0
        return y, Memory(h)


class WrongStep(Smoother):
    def step(self, u_t, state, *, dt=None):
        y, state = super().step(u_t, state, dt=dt)
        return y - 1e-6 * u_t, state


class ForgetsItsState(Smoother):
    def forward(self, u, state=None, **timing):
        return super().forward(u, None if u.shape[1] % 2 else state, **timing)


class StartsElsewhere(Smoother):
    def begin(self, u, state):
        return super().begin(u, state) + (1e-3 if state is None else 0.0)


class ResetDropsTheInput(Smoother):
    def forward(self, u, state=None, *, dt=None, resets=None, lengths=None):
        if resets is not None:
            u = torch.where(resets[..., None], torch.zeros_like(u), u)
        return super().forward(u, state, dt=dt, resets=resets, lengths=lengths)


class PaddingLeaksGradient(Smoother):
    """Multiplies the padding by 0, which is NaN where the padding is."""

    def forward(self, u, state=None, *, dt=None, resets=None, lengths=None):
        y, state = super().forward(u, state, dt=dt, resets=resets, lengths=lengths)
        return (y if lengths is None else y + 0 * u), state


class StateOfThePadding(Smoother):
    def forward(self, u, state=None, *, dt=None, resets=None, lengths=None):
        y, last = super().forward(u, state, dt=dt, resets=resets, lengths=lengths)
        return y, last if lengths is None else super().forward(u, state, dt=dt, resets=resets)[1]


class IgnoresResetsBesideDt(Smoother):
    def forward(self, u, state=None, *, dt=None, resets=None, lengths=None):
        resets = resets if dt is None else None
        return super().forward(u, state, dt=dt, resets=resets, lengths=lengths)


class Centred(Smoother):
    def forward(self, u, state=None, **timing):
        return super().forward(u - 1e-6 * u.mean(1, keepdim=True), state, **timing)


class BatchNormed(Smoother):
    def forward(self, u, state=None, **timing):
        return super().forward(u - 1e-6 * u.mean(0, keepdim=True), state, **timing)


class InPlace(Smoother):
    def begin(self, u, state):
        return super().begin(u, state) if state is None else state.h.mul_(1.5)


class TruncatedForward(Smoother):
    def begin(self, u, state):
        return super().begin(u, state).detach()


class WrongSlope(Smoother):
    def factor(self, dt):
        return super().factor(dt).detach()


class LosesDigits(Smoother):
    def update(self, h, u, dt):
        h = super().update(h, u, dt)
        return h.bfloat16().float() if h.dtype == torch.float32 else h


class Grows(Smoother):
    def factor(self, dt):
        return 2 - super().factor(dt)


class Overflows(Smoother):
    def factor(self, dt):
        rate = self.decay.exp()
        return (
            1
            / torch.exp(rate * (1 if dt is None else dt[:, None])) ** 2
            * torch.exp(rate * (1 if dt is None else dt[:, None]))
        )


class HalfPrecisionRecurrence(Smoother):
    def update(self, h, u, dt):
        return h @ torch.diag(self.factor(None)) + u @ torch.eye(self.d_model, dtype=u.dtype)


class SqueezesBatches(Smoother):
    def read(self, h, u):
        return super().read(h, u).squeeze().view(u.shape) if len(u) else u.view(1, -1)


class Remembers(Smoother):
    def forward(self, u, state=None, **timing):
        y, last = super().forward(u, None, **timing)
        return y, (last, u)


class Dithered(Smoother):
    def read(self, h, u):
        return super().read(h, u) + 1e-12 * torch.rand_like(u)


class UnsavedWeight(Smoother):
    def __init__(self, d_model):
        super().__init__(d_model)
        self.offset = torch.rand(())

    def read(self, h, u):
        return super().read(h, u) + self.offset.to(u.dtype)


class StateOfTheWholeBatch(Smoother):
    """Carries a shared mean beside the rows, so that rows cannot be picked."""

    def update(self, h, u, dt):
        return super().update(h, u, dt) + 1e-3 * h.mean(0)


class DataDependent(Smoother):
    def read(self, h, u):
        return super().read(h, u) if h.sum() > 0 else super().read(h, u) + 0.0


class Complex(Smoother):
    def update(self, h, u, dt):
        return (self.factor(dt).to(torch.complex64) * h + u).real


class WrongKernel(S4D):
    def kernel(self, length):
        return super().kernel(length) * (1 + 1e-6)


class WrongSkip(S4D):
    def finish(self, y, prepared):
        return super().finish(y, prepared) + 1e-6


class BiasedDt(Smoother):
    def factor(self, dt):
        return super().factor(None if dt is None else dt + 1e-6)


class SquareRootDt(S4D):
    def prepare(self, u, memory, timing):
        timing = timing if timing.dt is None else type(timing)(timing.dt.sqrt(), *_rest(timing))
        return InvariantLayer.prepare(self, u, memory, timing)


def _rest(timing):
    return timing.resets, timing.lengths


BREAKS: dict[str, Callable[[int], nn.Module]] = {
    "forward is the loop of step": WrongStep,
    "any split carries the state": ForgetsItsState,
    "no state is the initial state": StartsElsewhere,
    "packed is separate": ResetDropsTheInput,
    "padded is separate": PaddingLeaksGradient,
    "everything at once": IgnoresResetsBesideDt,
    "state is that of the last real step": StateOfThePadding,
    "causal": Centred,
    "rows do not touch": BatchNormed,
    "arguments are left alone": InPlace,
    "gradients are those of the loop": TruncatedForward,
    "gradients are finite differences": WrongSlope,
    "float32 follows float64": LosesDigits,
    "finite over a million steps": Grows,
    "finite at extreme dt": Overflows,
    "autocast keeps the recurrence": HalfPrecisionRecurrence,
    "any size": SqueezesBatches,
    "state never grows": Remembers,
    "deterministic": Dithered,
    "saved weights are the layer": UnsavedWeight,
    "state is a value": StateOfTheWholeBatch,
    "forward exports": DataDependent,
    "step exports": DataDependent,
    "stream is real arithmetic": Complex,
    "compiles in one piece": DataDependent,
    "kernel is the impulse response": WrongKernel,
    "output is the dense simulation": WrongSkip,
    "dt of one changes nothing": BiasedDt,
    "dt scales the step size": SquareRootDt,
}
