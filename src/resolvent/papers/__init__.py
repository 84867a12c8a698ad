"""Each paper as a named choice on the axes of the core, with claims that can be run."""

from resolvent.papers import dss, httyh, lru, lssl, ptd, s4, s4d, s5
from resolvent.papers.base import Claim, Paper, Row

ALL: tuple[Paper, ...] = (
    lssl.PAPER,
    s4.PAPER,
    dss.PAPER,
    s4d.PAPER,
    httyh.PAPER,
    s5.PAPER,
    lru.PAPER,
    ptd.PAPER,
    ptd.S5_PTD,
)
"""Every paper, in order of appearance."""

__all__ = ["ALL", "Claim", "Paper", "Row"]
