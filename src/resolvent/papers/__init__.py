"""Each paper as a named choice on the axes of the core, with claims that can be run."""

from resolvent.papers import (
    aaren,
    dss,
    httyh,
    language,
    longconv,
    lru,
    lssl,
    mamba,
    mamba2,
    pararnn,
    ptd,
    s4,
    s4d,
    s5,
    xlstm,
)
from resolvent.papers.base import Claim, Paper, Row

ALL: tuple[Paper, ...] = (
    language.LINEAR,
    lssl.PAPER,
    s4.PAPER,
    dss.PAPER,
    s4d.PAPER,
    httyh.PAPER,
    s5.PAPER,
    lru.PAPER,
    language.H3_PAPER,
    longconv.PAPER,
    language.HYENA,
    language.RETNET,
    mamba.PAPER,
    language.GLA,
    mamba2.PAPER,
    mamba.NEGATIVE,
    ptd.PAPER,
    ptd.S5_PTD,
    xlstm.PAPER,
    aaren.PAPER,
    pararnn.PAPER,
)
"""Every paper, in order of appearance."""

__all__ = ["ALL", "Claim", "Paper", "Row"]
