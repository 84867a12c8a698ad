"""Synthetic tasks over tokens: seeded, any size, and each with one known difficulty."""

from resolvent.data.tasks.base import IGNORED, TokenTask
from resolvent.data.tasks.recall import induction_heads, multi_query_recall, selective_copying

__all__ = ["IGNORED", "TokenTask", "induction_heads", "multi_query_recall", "selective_copying"]
