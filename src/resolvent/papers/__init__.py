"""Each paper as a named choice on the axes of the core, with claims that can be run."""

from resolvent.papers import (
    dss,
    httyh,
    language,
    longconv,
    lru,
    lssl,
    mamba,
    mamba2,
    ptd,
    s4,
    s4d,
    s5,
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
)
"""Every paper, in order of appearance."""

__all__ = ["ALL", "Claim", "Paper", "Row"]
