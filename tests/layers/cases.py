"""Every constructor choice of every registered layer, as functions of d_model.

`PLAIN` holds one or two layers of each kind for the whole contract; `OPTIONS` has every value of
every option of the layers with a kernel, `SELECTIVE` those of the others, for shorter tests. A
registered layer that is not named here fails `test_layers_options`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn

from resolvent import discretize
from resolvent.initialize import diagonal, hippo
from resolvent.layers import (
    DSS,
    GRU,
    H3,
    KDA,
    LRU,
    LSSL,
    LSTM,
    MLP,
    MLSTM,
    S4,
    S4D,
    S5,
    SLSTM,
    Aaren,
    Attention,
    Bidirectional,
    DeltaNet,
    DeltaProduct,
    GatedDeltaNet,
    GatedDeltaProduct,
    Hyena,
    LinearAttention,
    LongConv,
    Mamba,
    Mamba2,
    Mamba3,
    NonCausalSSD,
    OrientedMamba,
    ParaGRU,
    ParaLSTM,
    SoftSorted,
    UniversalTransformer,
)

Make = Callable[[int], nn.Module]

PLAIN: dict[str, Make] = {
    "S4D": partial(S4D, d_state=6),
    "S4D-PTD, 5 states": partial(S4D, d_state=5, init="ptd"),
    "DSS": partial(DSS, d_state=6),
    "S4": partial(S4, d_state=6),
    "S4, 5 states, zoh": partial(S4, d_state=5, rule="zoh"),
    "S5": partial(S5, d_state=6),
    "S5-PTD, two blocks": partial(S5, d_state=6, blocks=2, init="ptd"),
    "LRU": partial(LRU, d_state=6),
    "LSSL": partial(LSSL, d_state=5),
    "Mamba": partial(Mamba, d_state=3),
    "OrientedMamba": partial(OrientedMamba, d_state=3),
    "Mamba2": partial(Mamba2, d_state=3, head_dim=2),
    "Mamba3": partial(Mamba3, d_state=4, head_dim=2),
    "NonCausalSSD": partial(NonCausalSSD, d_state=3, head_dim=2),
    "H3": partial(H3, d_state=4, d_shift=3),
    "LongConv": partial(LongConv, length=9),
    "Hyena": partial(Hyena, length=9),
    "LinearAttention": partial(LinearAttention, decay="none"),
    "RetNet": partial(LinearAttention, decay="fixed"),
    "GLA": partial(LinearAttention, decay="gated"),
    "Attention": partial(Attention, n_heads=1),
    "sliding Attention": partial(Attention, window=4),
    "MLP": partial(MLP, expand=2),
    "UniversalTransformer": partial(UniversalTransformer, n_heads=1, repeats=3, expand=2),
    "DeltaNet": partial(DeltaNet, d_state=3),
    "GatedDeltaNet": partial(GatedDeltaNet, d_state=3),
    "DeltaProduct": partial(DeltaProduct, d_state=3),
    "GatedDeltaProduct": partial(GatedDeltaProduct, d_state=3, writes=3),
    "KDA": partial(KDA, d_state=3),
    **{x.__name__: partial(x) for x in (LSTM, GRU, SLSTM, ParaGRU, ParaLSTM, Aaren)},
    "MLSTM": partial(MLSTM, d_state=2),
}

CAUSAL = {name: make for name, make in PLAIN.items() if make.func.causal}
"""Those that have a step and a state."""


def both_ways(make: Make) -> Make:
    """A layer and another of its kind in each direction of time."""
    return lambda d_model: Bidirectional(make(d_model), make(d_model))


BOTH_WAYS: dict[str, Make] = {
    f"both ways {name}": both_ways(PLAIN[name]) for name in ("S4D", "S4", "S5", "LSSL")
}

WHOLE: dict[str, Make] = {
    **BOTH_WAYS,
    "sorted Mamba": lambda d_model: SoftSorted(Mamba(d_model, 3)),
}
"""Compositions that read whole sequences."""

CLOSED = ("loop", "recur", "convolve", "chunk", "scan")
BY_CHUNKS = ("loop", "convolve", "chunk")
EXECUTIONS: dict[type[nn.Module], tuple[str, ...]] = {
    S4D: CLOSED,
    DSS: CLOSED,
    S5: CLOSED,
    LRU: CLOSED,
    S4: BY_CHUNKS,
    LSSL: (*BY_CHUNKS, "scan"),
}
"""The executions that are legal for each layer with a fixed step size."""


SELECTIVE: dict[type[nn.Module], tuple[dict[str, object], ...]] = {
    H3: (
        {"d_state": 2, "d_shift": 1},
        {"d_state": 4, "d_shift": 70},
        {"execution": "loop"},
        {"execution": "scan"},
    ),
    LongConv: (
        {"length": 1, "squash": 0.0},
        {"length": 100, "squash": 0.002},
        {"length": 30, "smooth": 5},
        {"length": 30, "decay": True},
    ),
    Hyena: (
        {"length": 2},
        {"length": 100, "bands": 2},
        {"length": 30, "frequency": 1.0},
        {"length": 30, "d_conv": 5},
    ),
    LinearAttention: (
        {"decay": "none", "n_heads": 2},
        {"decay": "fixed", "d_state": 3},
        {"decay": "gated", "execution": "loop"},
        {"decay": "gated", "execution": "scan"},
    ),
    **{
        layer: (
            {"n_heads": 2, "d_state": 3, **given},
            {"eigenvalue_range": (0, 1), "d_conv": 0},
            {"eigenvalue_range": (-1, 1), "gain": 4.0},
            {"execution": "chunk"},
        )
        for layers, given in (
            ((DeltaNet, GatedDeltaNet, KDA), {}),
            ((DeltaProduct, GatedDeltaProduct), {"writes": 3}),
        )
        for layer in layers
    },
    Attention: ({"n_heads": 2}, {"window": 1}, {"window": 50}, {"rotary": False}),
    MLP: ({"expand": 1}, {"gated": True}),
    UniversalTransformer: (
        {"n_heads": 2, "repeats": 2},
        {"repeats": 1, "expand": 1, "halting": False},
        {"halting": False, "window": 3},
    ),
    Mamba: (
        {"d_state": 1},
        {"expand": 1.5},
        {"d_conv": 1},
        {"d_conv": 7},
        {"dt_rank": 3},
        {"bias": "none"},
        {"bias": "all"},
        {"norm_eps": 1e-6},
        {"eigenvalue_range": (-1, 1)},
    ),
    OrientedMamba: ({"dynamics": "negative", "d_state": 20}, {"dynamics": "mixed", "d_state": 3}),
    Mamba2: (
        {"d_state": 1},
        {"head_dim": 2, "expand": 3},
        {"head_dim": 2, "n_groups": 2},
        {"head_dim": 1, "n_groups": 4, "bias": "projections"},
        {"head_dim": 4, "d_conv": 2},
        {"head_dim": 4, "dt_limit": (0.01, 0.05)},
    ),
    NonCausalSSD: (
        {"d_state": 1, "expand": 1},
        {"head_dim": 2, "n_groups": 2, "d_conv": 1},
    ),
    Mamba3: (
        {"d_state": 1},
        {"d_state": 6, "head_dim": 1, "n_groups": 4, "rotation": 1.0},
        {"d_state": 4, "head_dim": 2, "rank": 3, "expand": 1},
        {"d_state": 3, "rotation": 0.0},
    ),
    **{
        layer: ({"heads": 2}, {"execution": "loop"}, {"execution": "newton"})
        for layer in (LSTM, GRU, SLSTM, ParaGRU, ParaLSTM)
    },
    Aaren: ({"heads": 2},),
    MLSTM: ({"d_state": 1}, {"d_state": 3}, {"heads": 2}),
}
"""Every option of the layers that have no kernel, or more around it."""


def selective_options() -> dict[str, Make]:
    """One maker for each entry of SELECTIVE."""
    return {
        f"{layer.__name__}({', '.join(f'{k}={v}' for k, v in options.items())})": partial(
            layer, **options
        )
        for layer, choices in SELECTIVE.items()
        for options in choices
    }


def _options() -> dict[str, Make]:
    found: dict[str, Make] = {}

    def add(layer: type[nn.Module], **options: object) -> None:
        text = ", ".join(f"{name}={_text(value)}" for name, value in options.items())
        found[f"{layer.__name__}({text})"] = partial(layer, **{"d_state": 6, **options})

    for layer in EXECUTIONS:
        add(layer)
        for d_state in (1, 2, 7):
            add(layer, d_state=d_state)
        for execution in ("auto", *EXECUTIONS[layer]):
            add(layer, execution=execution)
    for layer in (S4D, DSS, S5):
        for init in (*diagonal.BY_NAME, diagonal.lin(6), diagonal.inv):
            add(layer, init=init)
    for layer in (S4, LSSL):
        for init in (*hippo.BY_NAME, hippo.legt(6, window=2.0), hippo.fout):
            add(layer, init=init)
    for layer in (S4D, S4, S5, LSSL):
        for rule in (*discretize.BY_NAME, discretize.mixed):
            # forward Euler is only stable for small steps
            add(layer, rule=rule, dt_min=1e-3, dt_max=1e-2)
        add(layer, dt_min=0.01, dt_max=0.01)
    add(S4D, init=("legs", "lin"))
    add(S4, init=("legs", "fout"))
    add(DSS, dt_min=0.01, dt_max=0.02)
    add(S5, blocks=3)
    add(S5, blocks=3, init="ptd", d_state=12)
    add(LRU, r_min=0.5, r_max=0.9)
    add(LRU, max_phase=0.1)
    return found


def _text(value: object) -> str:
    return getattr(value, "__name__", None) or (
        type(value).__name__ if isinstance(value, diagonal.Modes | hippo.Hippo) else str(value)
    )


OPTIONS = _options()
