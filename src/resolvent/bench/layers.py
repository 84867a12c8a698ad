"""Whole layers beside PyTorch's own: input products, recurrence, gradients of all weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import nn

from resolvent.bench.case import Call, Case, of_module
from resolvent.bench.ops import LOOP_LONGEST, sizes
from resolvent.layers import GRU, LSTM, SLSTM, NonlinearLayer

SIZES = ((8, 1024, 128), (32, 256, 64), (8, 256, 512), (1, 1024, 128), (4, 128, 16))


def recurrent_layers() -> Iterator[Case]:
    """LSTM and GRU beside PyTorch's own with equal weights, sLSTM; the loop over steps."""
    for b, l, d in SIZES:
        u = torch.randn(b, l, d)
        for kind, twin in ((LSTM, nn.LSTM), (GRU, nn.GRU), (SLSTM, None)):
            yield _recurrent(kind, twin, u)


def _recurrent(
    kind: Callable[..., NonlinearLayer], twin: type[nn.Module] | None, u: torch.Tensor
) -> Case:
    (b, l, d), layer = u.shape, kind(u.shape[-1])
    ours, exact = of_module(layer, u)
    peers: dict[str, Call] = {}
    if twin is not None:
        theirs = twin(d, d, batch_first=True)
        theirs.load_state_dict(layer.state_dict())
        peers[f"torch.nn.{twin.__name__}"] = of_module(theirs, u)[0]
    if l <= LOOP_LONGEST // 4:
        loop = kind(d, execution="loop")
        loop.load_state_dict(layer.state_dict())
        peers["loop"] = of_module(loop, u)[0]
    gates = layer.inputs(u[:1, :1]).shape[-1]
    words = f"{type(layer).__name__}; {sizes(b=b, l=l, d=d)}"
    # the products with the input and with the last hidden state
    return Case("recurrent_layers", words, ours, peers, exact, work=4 * b * l * gates * d)
