"""H3: the two synthetic languages that a time-invariant model does not speak by itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from resolvent.data.tasks import TokenTask, associative_recall, induction_heads
from resolvent.layers import H3
from resolvent.papers.base import Claim, Paper
from resolvent.papers.tokens import Table, Variant, stack, together


def language(name: str, draw: Callable[..., TokenTask], published: tuple[str, str]) -> Table:
    """Two layers of 32 features each, 24 steps long; accuracies of Fu et al. 2023, table 2."""
    variants = tuple(
        Variant(f"{name}: {layer}", stack(layer, "MLP", depth=2), solves, said)
        for layer, solves, said in zip(("H3", "S4D"), (True, None), published, strict=True)
    )
    return Table(draw, variants, train=24, solved=0.95, first=variants[0].label)


LANGUAGES = together(
    language("induction heads", partial(induction_heads, symbols=8), ("1.00", "0.356")),
    language("associative recall", partial(associative_recall, symbols=8), ("0.998", "0.860")),
)


PAPER = Paper(
    name="H3",
    title="Hungry Hungry Hippos: Towards Language Modeling with State Space Models",
    authors="Daniel Y. Fu, Tri Dao, Khaled K. Saab, Armin W. Thomas, Atri Rudra, Christopher Ré",
    year=2023,
    venue="International Conference on Learning Representations",
    choices="shift and diagonal in conjugate halves · S4D-Lin · ZOH · time-invariant, between "
    "products of projections",
    layer=H3,
    claims=(
        Claim(
            "two-languages",
            "H3 learns induction heads and associative recall, S4D of the same size falls behind",
            LANGUAGES,
            120,
        ),
    ),
)
