"""Hyena of order two (Poli et al. 2023, "Hyena Hierarchy: Towards Larger Convolutional Language
Models"): H3 with a long kernel that a small network writes.

    x, w, v = short convolution of W_in u
    out = W_o (x * (K * (w * v) + D w * v))
    K_j = MLP(positions of j) * exp(-decay j / n)          sines of one frequency as activations

Its memory is finite: the last n - 1 inputs of the kernel, and the tail of the short convolution.
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn

from resolvent.execute import filter_features, shift_system
from resolvent.layers.convolution import ShortConvolution
from resolvent.layers.h3 import between_gates
from resolvent.layers.mixer import Mixer, Timing, full_precision, needed
from resolvent.layers.state import State
from resolvent.system import Varying

WIDTH = 64
"""Features of the network that writes the kernel."""


class Hyena(Mixer):
    """A long implicit convolution between two gates.

    Args:
        d_model: number of features.
        length: taps of each kernel; what lies further back is not seen.
        bands: frequencies of the positional features.
        frequency: of the sines in the network that writes the kernel.
        d_conv: width of the short convolution.

    Raises:
        ValueError: length or bands is not a positive integer.
    """

    def __init__(
        self,
        d_model: int,
        length: int = 1024,
        bands: int = 16,
        frequency: float = 10.0,
        d_conv: int = 3,
    ):
        super().__init__(d_model)
        for name, value in (("length", length), ("bands", bands)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name}: must be a positive integer, got {value!r}")
        self.length, self.bands, self.frequency = length, bands, frequency
        self.in_proj = nn.Linear(d_model, 3 * d_model)
        self.conv = ShortConvolution(3 * d_model, d_conv, silu=False)
        sizes = (2 * bands + 1, WIDTH, WIDTH, d_model)
        self.writer = nn.ModuleList(nn.Linear(i, o) for i, o in itertools.pairwise(sizes))
        # kernels that forget a hundredth within 0.3 to 1.5 of the length, as published
        rates = torch.linspace(math.log(100) / 1.5, math.log(100) / 0.3, d_model)
        self.declare("log_decay", rates.log(), 1e-3, 0.0)
        self.declare("D", torch.randn(d_model))
        self.out_proj = nn.Linear(d_model, d_model)

    def taps(self) -> Tensor:
        """The long kernels (d_model, length)."""
        t = torch.linspace(0, 1, self.length, dtype=self.D.dtype, device=self.D.device)[:, None]
        angles = 2 * math.pi * t * torch.arange(1, self.bands + 1, device=t.device)
        x = torch.cat([t, angles.cos(), angles.sin()], -1)
        first, second, last = self.writer
        x = last(torch.sin(self.frequency * second(torch.sin(self.frequency * first(x)))))
        return (x * torch.exp(-t * self.log_decay.exp())).mT

    def mix(self, u: Tensor, state: State | None, timing: Timing) -> tuple[Tensor, State]:
        """Project, convolve, gate, convolve far, gate, project back."""
        before = self.initial_state(len(u), u.device, self.D.dtype) if state is None else state
        x, tail = self.conv(self.in_proj(u), before.memory, timing)
        with full_precision(u.device):
            x, w, v = x.chunk(3, -1)
            z = w * v
            y, long_tail = filter_features(z, self.taps(), before.h, timing.resets, timing.lengths)
            y = x * (y + self.D * z)
        return self.out_proj(y), State(long_tail, (tail,))

    def system(self, u: Tensor | None = None, dt: Tensor | None = None) -> Varying:
        """From v to what the last projection reads, on u (b, l, d_model); dt does nothing.

        Raises:
            TypeError: u is missing.
        """
        u = needed(self, u)
        x, w, _ = self.conv(self.in_proj(u), (), Timing())[0].chunk(3, -1)
        taps = self.taps()[:, : max(u.shape[1], 1)]  # before the first step is nothing
        return between_gates(shift_system(taps, self.D[:, None]), w, x)

    def initial_state(
        self,
        batch_size: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> State:
        """Zeros, for both convolutions."""
        h = self.D.new_zeros(batch_size, self.length - 1, self.d_model)
        h, tail = (
            x.to(device=device, dtype=dtype) for x in (h, self.conv.initial_tail(batch_size))
        )
        return State(h, (tail,))
