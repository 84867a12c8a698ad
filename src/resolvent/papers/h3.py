"""H3: the two synthetic languages that a time-invariant model does not speak by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from resolvent.data.tasks import TokenTask, associative_recall, induction_heads
from resolvent.layers import H3
from resolvent.model import LanguageConfig
from resolvent.papers.base import Claim, Paper, Row, spread
from resolvent.papers.tokens import accuracy

LENGTH, STEPS, SOLVED = 24, 300, 0.95

PUBLISHED = {"H3": ("1.00", "0.998"), "S4D": ("0.356", "0.860")}
"""Accuracies on induction heads and on associative recall (Fu et al. 2023, table 2)."""

TASKS: dict[str, Callable[[int, int], TokenTask]] = {
    "induction heads": lambda n, seed: induction_heads(n, LENGTH, 8, seed),
    "associative recall": lambda n, seed: associative_recall(n, LENGTH, 8, seed),
}


def languages(seeds: Sequence[int]) -> list[Row]:
    """Two layers of 32 features on both languages, 24 steps long."""
    rows = []
    for index, (task, draw) in enumerate(TASKS.items()):
        found = {}
        for layer, published in PUBLISHED.items():
            config = LanguageConfig(draw(1, 0).vocab_size, 32, 4, (layer, "MLP"), tied=False)
            found[layer] = [accuracy(config, draw, STEPS, seed, lr=1e-2)[0] for seed in seeds]
            solved = min(found[layer]) >= SOLVED if layer == "H3" else None
            rows.append(Row(f"{task}: {layer}", published[index], spread(found[layer]), solved))
        behind = max(found["S4D"]) < min(found["H3"])
        rows.append(Row(f"{task}: S4D is behind H3", "yes", str(behind), behind))
    return rows


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
            languages,
            120,
        ),
    ),
)
