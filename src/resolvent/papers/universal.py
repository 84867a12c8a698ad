"""Universal Transformer: what a block gains by being applied again and again."""

from __future__ import annotations

from collections.abc import Sequence

from resolvent.layers import UniversalTransformer
from resolvent.papers.base import Claim, Paper, Row, spread
from resolvent.papers.text import bits_per_byte
from resolvent.papers.tokens import stack

MODELS = {
    "one block, up to 4 times, halting": stack("UniversalTransformer", n_heads=2, repeats=4),
    "one block, once": stack("Attention", "MLP", n_heads=2),
}
"""About the same parameters: 32 features, one attention and one network."""


def recurrence_in_depth(seeds: Sequence[int]) -> list[Row]:
    """Bits per byte of a text, by how often the block is applied."""
    found = {name: [bits_per_byte(config, s) for s in seeds] for name, config in MODELS.items()}
    often, once = found.values()
    gain = [b - a for a, b in zip(often, once, strict=True)]
    rows = [Row(f"{name}: bits per byte", "-", spread(x, ".4g")) for name, x in found.items()]
    return [*rows, Row("what recurrence saves, seed by seed", "> 0", spread(gain), min(gain) > 0)]


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
            "a block that is applied again and again is a better language model than a Transformer "
            "of the same parameters that applies it once",
            recurrence_in_depth,
            240,
        ),
    ),
)
