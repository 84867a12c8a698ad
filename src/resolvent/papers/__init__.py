"""Each paper as a named choice on the axes of the core, with claims that can be run."""

from resolvent.papers import (
    aaren,
    dss,
    h3,
    httyh,
    language,
    longconv,
    lru,
    lssl,
    mamba,
    mamba2,
    mamba3,
    pararnn,
    ptd,
    s4,
    s4d,
    s5,
    token_dynamics,
    vssd,
    xlstm,
    zoology,
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
    h3.PAPER,
    longconv.PAPER,
    language.HYENA,
    language.RETNET,
    mamba.PAPER,
    language.GLA,
    mamba2.PAPER,
    zoology.PAPER,
    vssd.PAPER,
    mamba.NEGATIVE,
    ptd.PAPER,
    ptd.S5_PTD,
    xlstm.PAPER,
    aaren.PAPER,
    token_dynamics.PAPER,
    pararnn.PAPER,
    mamba3.PAPER,
)
"""Every paper, in order of appearance."""

__all__ = ["ALL", "Claim", "Paper", "Row"]
