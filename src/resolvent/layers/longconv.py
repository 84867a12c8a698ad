"""Long convolutions (Fu et al. 2023, "Simple Hardware-Efficient Long Convolutions for Sequence
Modeling"): the kernel itself is learned, and kept simple by a soft threshold.

    K = squash(smooth(k))       squash(k) = sign(k) max(|k| - lambda, 0)
    y = K * u + D u             one kernel of n taps a feature

Its memory is finite: the state is the last n - 1 inputs. Time is counted in steps, so that factors
dt of irregular time have nothing to act on.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d, pad, softshrink

from resolvent.execute import filter_features, shift_system
from resolvent.layers.mixer import Mixer, Timing, full_precision
from resolvent.layers.state import State
from resolvent.system import Invariant


class LongConv(Mixer):
    """A long kernel a feature, learned directly.

    Args:
        d_model: number of features.
        length: taps of each kernel; what lies further back is not seen.
        squash: lambda, the soft threshold. The kernel starts with deviation 0.002: from 0.01 on
            nothing would survive and nothing could be learned.
        smooth: odd width of a moving average before the squash; 1 is none.
        decay: whether the kernels start under a window exp(-j / length * (d / 2)^(i / d)) for
            feature i, as "double exponential" in the published code.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        d_model: int,
        length: int = 256,
        squash: float = 0.001,
        smooth: int = 1,
        decay: bool = False,
    ):
        super().__init__(d_model)
        if not isinstance(length, int) or length < 1:
            raise ValueError(f"length: must be a positive integer, got {length!r}")
        if not isinstance(smooth, int) or smooth < 1 or smooth % 2 == 0:
            raise ValueError(f"smooth: must be an odd positive integer, got {smooth!r}")
        if not 0 <= squash < 0.01:
            raise ValueError(
                f"squash: must lie in [0, 0.01), got {squash!r}: from there on the initial "
                "kernel is 0, and so is its gradient"
            )
        self.squash, self.smooth = squash, smooth
        k = torch.randn(d_model, length) * 0.002
        if decay:
            i, j = torch.arange(d_model)[:, None] / d_model, torch.arange(length) / length
            k = k * 10 * torch.exp(-j * (d_model / 2) ** i)
        self.declare("k", k, 1e-3, 0.0)
        self.declare("D", torch.randn(d_model))

    def kernel(self, length: int) -> Tensor:
        """Impulse response without D, (d_model, length); zeros beyond its taps.

        Raises:
            ValueError: length is less than 1.
        """
        if length < 1:
            raise ValueError(f"length: must be at least 1, got {length}")
        K = softshrink(self._smoothed(), self.squash)
        return pad(K, (0, max(length - K.shape[1], 0)))[:, :length]

    def system(self, u: Tensor | None = None, dt: Tensor | None = None) -> Invariant:
        """The last n inputs as a state; whatever u and dt are."""
        return shift_system(self.kernel(self.k.shape[1]), self.D[:, None])

    def mix(self, u: Tensor, state: State | None, timing: Timing) -> tuple[Tensor, State]:
        """Convolve."""
        with full_precision(u.device):
            x = u.to(self.k.dtype)
            tail = self.initial_state(len(u), u.device, x.dtype).h if state is None else state.h
            K = self.kernel(self.k.shape[1])
            y, tail = filter_features(x, K, tail, timing.resets, timing.lengths)
            return y + self.D * x, State(tail)

    def initial_state(
        self,
        batch_size: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> State:
        """Zeros (b, n - 1, d_model): the inputs before the first."""
        d, n = self.k.shape
        return State(self.k.new_zeros(batch_size, n - 1, d).to(device=device, dtype=dtype))

    def _smoothed(self) -> Tensor:
        if self.smooth == 1:
            return self.k
        return avg_pool1d(self.k, self.smooth, 1, self.smooth // 2)
