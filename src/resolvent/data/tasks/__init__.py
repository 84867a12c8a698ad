"""Synthetic tasks: seeded, any size, and each with one known difficulty.

Those over tokens come with a length to train at and a longer one to test at: ``EXTRAPOLATIONS``.
"""

from functools import partial

from resolvent.data.tasks.base import Extrapolation, TokenTask, after_start
from resolvent.data.tasks.counting import adding, bracketed_arithmetic, modular_arithmetic, parity
from resolvent.data.tasks.groups import group_word, multiplication_table
from resolvent.data.tasks.pathfinder import pathfinder
from resolvent.data.tasks.recall import (
    associative_recall,
    induction_heads,
    multi_query_recall,
    selective_copying,
)
from resolvent.data.tasks.stack import dyck, list_ops, sorting
from resolvent.topology.padding import IGNORED

_CHOMSKY = "Beck et al. 2024 (xLSTM) and Grazzi et al. 2025: trained up to 40, tested up to 256"
_WORDS = "Siems et al. 2025 (DeltaProduct): trained at 128, tested up to 512"

EXTRAPOLATIONS: dict[str, Extrapolation] = {
    "parity": Extrapolation(parity, 40, 256, _CHOMSKY),
    "modular arithmetic": Extrapolation(modular_arithmetic, 40, 256, _CHOMSKY),
    "bracketed arithmetic": Extrapolation(bracketed_arithmetic, 40, 256, _CHOMSKY),
    **{
        f"words of {group}": Extrapolation(partial(group_word, group=group), 128, 512, _WORDS)
        for group in ("Z60", "S3", "S4", "S5", "A5")
    },
    "dyck": Extrapolation(dyck, 40, 256, _CHOMSKY),
    "sorting": Extrapolation(sorting, 40, 256, _CHOMSKY),
    "list operations": Extrapolation(
        list_ops, 500, 2000, "Tay et al. 2021 test at 2,000; to train at 500 is this package's"
    ),
    "selective copying": Extrapolation(
        selective_copying, 256, 4096, "Gu & Dao 2023 test at 4,096; to train at 256 is ours"
    ),
    "induction heads": Extrapolation(
        induction_heads, 256, 16384, "Gu & Dao 2023: trained at 256, tested up to 2^20"
    ),
    "multi-query recall": Extrapolation(
        partial(multi_query_recall, pairs=8), 64, 256, "Arora et al. 2023: up to 64 and up to 256"
    ),
}
"""Tasks over tokens, by name, with their lengths."""

__all__ = [
    "EXTRAPOLATIONS",
    "IGNORED",
    "Extrapolation",
    "TokenTask",
    "adding",
    "after_start",
    "associative_recall",
    "bracketed_arithmetic",
    "dyck",
    "group_word",
    "induction_heads",
    "list_ops",
    "modular_arithmetic",
    "multi_query_recall",
    "multiplication_table",
    "parity",
    "pathfinder",
    "selective_copying",
    "sorting",
]
