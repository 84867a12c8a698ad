"""Series cut in time: what PyTorch operations take a stretch at a time to bound their memory."""

from typing import NamedTuple

import torch
from torch import Tensor


class Slab(NamedTuple):
    """A stretch of time: its steps, its resets (b, steps), and the steps (b,) of rows within it."""

    when: slice
    resets: Tensor | None
    left: Tensor


def slabs(
    size: tuple[int, int],
    steps: int,
    resets: Tensor | None,
    lengths: Tensor | None,
    device: torch.device,
) -> list[Slab]:
    """Cuts rows of size (b, l) into stretches of `steps` steps."""
    b, l = size
    if lengths is None:
        lengths = torch.full((b,), l, device=device)
    found = []
    for start in range(0, l, steps):
        stop = min(start + steps, l)
        left = (lengths.long() - start).clamp(0, stop - start)
        drops = None if resets is None else resets[:, start:stop]
        found.append(Slab(slice(start, stop), drops, left))
    return found
