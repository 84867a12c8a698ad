"""Universal Transformer: one block, applied again and again, does what several blocks do."""

from __future__ import annotations

from functools import partial

from resolvent.data.tasks import induction_heads
from resolvent.layers import UniversalTransformer
from resolvent.papers.base import Claim, Paper
from resolvent.papers.tokens import Table, Variant, stack

INDUCTION = Table(
    partial(induction_heads, symbols=8),
    (
        Variant(
            "one block, up to 4 times, halting",
            stack("UniversalTransformer", n_heads=2, repeats=4),
            True,
        ),
        Variant("a Transformer of one block", stack("Attention", "MLP", n_heads=2), False),
        Variant("a Transformer of 4 blocks", stack("Attention", "MLP", n_heads=2, depth=4)),
    ),
    train=24,
    beyond=(48,),
    solved=0.95,
)
"""What followed a token is found by a step that knows its predecessor: that takes two layers."""

PAPER = Paper(
    name="UniversalTransformer",
    title="Universal Transformers",
    authors="Mostafa Dehghani, Stephan Gouws, Oriol Vinyals, Jakob Uszkoreit, Łukasz Kaiser",
    year=2019,
    venue="International Conference on Learning Representations",
    choices="attention and a network as one block, a recurrence in depth · sines of the depth · "
    "each step halts by itself (Graves 2016)",
    layer=UniversalTransformer,
    claims=(
        Claim(
            "depth-by-recurrence",
            "one block applied again and again learns induction heads, which take two layers; a "
            "Transformer of one block, of the same parameters, does not",
            INDUCTION,
            90,
        ),
    ),
)
