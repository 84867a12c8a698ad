"""Layers by paper: each file a declaration of choices, all under the contract of `layers.base`."""

from resolvent.layers.aaren import Aaren
from resolvent.layers.attention import Attention
from resolvent.layers.base import Layer, Prepared
from resolvent.layers.bidirectional import Bidirectional
from resolvent.layers.delta import DeltaNet, DeltaProduct, GatedDeltaNet, GatedDeltaProduct
from resolvent.layers.dss import DSS
from resolvent.layers.gru import GRU
from resolvent.layers.h3 import H3
from resolvent.layers.hyena import Hyena
from resolvent.layers.invariant import InvariantLayer
from resolvent.layers.kda import KDA
from resolvent.layers.linear_attention import LinearAttention
from resolvent.layers.longconv import LongConv
from resolvent.layers.lru import LRU
from resolvent.layers.lssl import LSSL
from resolvent.layers.lstm import LSTM
from resolvent.layers.mamba import Mamba
from resolvent.layers.mamba2 import Mamba2
from resolvent.layers.mamba3 import Mamba3
from resolvent.layers.mixer import Mixer, Rule, Timing, WholeMixer
from resolvent.layers.mlp import MLP
from resolvent.layers.mlstm import MLSTM
from resolvent.layers.noncausal_ssd import NonCausalSSD
from resolvent.layers.nonlinear import NonlinearLayer
from resolvent.layers.oriented import OrientedMamba
from resolvent.layers.pararnn import ParaGRU, ParaLSTM
from resolvent.layers.recurrence import Recurrence
from resolvent.layers.s4 import S4
from resolvent.layers.s4d import S4D
from resolvent.layers.s5 import S5
from resolvent.layers.slstm import SLSTM
from resolvent.layers.soft_sorted import SoftSorted
from resolvent.layers.state import State, detach, load_state, save_state, select_rows
from resolvent.layers.universal import UniversalTransformer

ALL: dict[str, type[WholeMixer]] = {
    layer.__name__: layer
    for layer in (
        *(S4D, DSS, S4, S5, LRU, LSSL),
        *(Mamba, OrientedMamba, Mamba2, Mamba3, NonCausalSSD),
        *(H3, LongConv, Hyena),
        *(LinearAttention, Attention, MLP, UniversalTransformer),
        *(DeltaNet, GatedDeltaNet, DeltaProduct, GatedDeltaProduct, KDA),
        *(LSTM, GRU, SLSTM, ParaGRU, ParaLSTM),
        *(Aaren, MLSTM),
    )
}
"""Every registered layer by name; what is here is held to the contract by the tests."""

INVARIANT: dict[str, type[InvariantLayer]] = {
    name: layer for name, layer in ALL.items() if issubclass(layer, InvariantLayer)
}
"""Those whose system does not depend on the input: they have a kernel and a precomputed step."""

__all__ = [
    "ALL",
    "DSS",
    "GRU",
    "H3",
    "INVARIANT",
    "KDA",
    "LRU",
    "LSTM",
    "MLSTM",
    "LSSL",
    "MLP",
    "S4",
    "S4D",
    "S5",
    "SLSTM",
    "Attention",
    "DeltaNet",
    "DeltaProduct",
    "GatedDeltaNet",
    "GatedDeltaProduct",
    "Aaren",
    "Bidirectional",
    "Hyena",
    "InvariantLayer",
    "Layer",
    "LinearAttention",
    "LongConv",
    "Mamba",
    "Mamba2",
    "Mamba3",
    "Mixer",
    "NonCausalSSD",
    "NonlinearLayer",
    "OrientedMamba",
    "ParaGRU",
    "ParaLSTM",
    "Prepared",
    "Recurrence",
    "Rule",
    "SoftSorted",
    "State",
    "Timing",
    "UniversalTransformer",
    "WholeMixer",
    "detach",
    "load_state",
    "save_state",
    "select_rows",
]
