"""Tasks of remembering by content: what a time-invariant filter cannot do and selection can."""

from __future__ import annotations

import numpy as np

from resolvent.data.tasks.base import TokenTask
from resolvent.topology.padding import IGNORED


def selective_copying(
    n: int, length: int, items: int = 16, symbols: int = 16, seed: int = 0
) -> TokenTask:
    """Draw sequences of noise with items at random places, to be said in order at the end.

    Token 0 is noise, 1 .. symbols are items, symbols + 1 asks for the next one. Since the spacing
    changes, no fixed delays copy the items (Gu & Dao 2023, section 3.1; length 4,096, 16 items of
    16 symbols).

    Args:
        n: number of sequences.
        length: steps before the questions.
        items: items in each sequence, at most length.
        symbols: number of different items.
        seed: fixes the draw.

    Returns:
        Sequences of length + items steps; each of the last ``items`` steps is asked.

    Raises:
        ValueError: there is no room for the items.
    """
    if not 1 <= items <= length:
        raise ValueError(f"items: expected 1 to length = {length}, got {items}")
    rng = np.random.default_rng(seed)
    places = np.sort(rng.random((n, length)).argsort(1)[:, :items], 1)
    said = rng.integers(1, symbols + 1, (n, items))
    x = np.zeros((n, length + items), np.int64)
    np.put_along_axis(x, places, said, 1)
    x[:, length:] = symbols + 1
    y = np.full_like(x, IGNORED)
    y[:, length:] = said
    return TokenTask(x, y, symbols + 2)


def induction_heads(n: int, length: int, symbols: int = 16, seed: int = 0) -> TokenTask:
    """Draw random tokens among which a special one occurs twice: say what followed the first.

    The special token is ``symbols``; its second occurrence is the last step (Olsson et al. 2022; Gu
    & Dao 2023, section 4.1.2: trained at length 256, tested up to 2^20).

    Args:
        n: number of sequences.
        length: steps, at least 3.
        symbols: number of ordinary tokens.
        seed: fixes the draw.

    Raises:
        ValueError: the length is less than 3.
    """
    if length < 3:
        raise ValueError(f"length: expected at least 3, got {length}")
    rng = np.random.default_rng(seed)
    x = rng.integers(0, symbols, (n, length))
    rows, first = np.arange(n), rng.integers(0, length - 2, n)
    x[rows, first] = symbols
    x[:, -1] = symbols
    y = np.full_like(x, IGNORED)
    y[:, -1] = x[rows, first + 1]
    return TokenTask(x, y, symbols + 1)


def multi_query_recall(
    n: int, length: int, pairs: int, symbols: int = 64, seed: int = 0
) -> TokenTask:
    """Draw keys with values, then keys again at random places: say the value of each.

    Keys are the first half of the tokens 1 .. symbols, values the second; 0 fills the gaps (Arora
    et al. 2023, "Zoology", MQAR; here the places of the questions are uniform).

    Args:
        n: number of sequences.
        length: steps, at least 3 pairs.
        pairs: keys of each sequence, all different; each is asked once.
        symbols: number of tokens but the filler, even and at least 2 pairs.
        seed: fixes the draw.

    Raises:
        ValueError: the pairs do not fit into the length or the symbols.
    """
    if symbols % 2 or not 1 <= pairs <= min(length // 3, symbols // 2):
        raise ValueError(
            f"pairs: expected 1 to min(length / 3, symbols / 2) = "
            f"{min(length // 3, symbols // 2)} and even symbols, got {pairs} and {symbols}"
        )
    rng, half = np.random.default_rng(seed), symbols // 2
    keys = 1 + rng.random((n, half)).argsort(1)[:, :pairs]
    values = rng.integers(half + 1, symbols + 1, (n, pairs))
    x = np.zeros((n, length), np.int64)
    x[:, 0 : 2 * pairs : 2], x[:, 1 : 2 * pairs : 2] = keys, values
    places = 2 * pairs + rng.random((n, length - 2 * pairs)).argsort(1)[:, :pairs]
    np.put_along_axis(x, places, keys, 1)
    y = np.full_like(x, IGNORED)
    np.put_along_axis(y, places, values, 1)
    return TokenTask(x, y, symbols + 1)


def associative_recall(n: int, length: int, symbols: int = 16, seed: int = 0) -> TokenTask:
    """Draw keys and values in turn, then one of the keys: say its value (Fu et al. 2023, H3).

    Keys are the first half of the tokens, values the second; a key has one value in a sequence, and
    may come several times. Every key that has come before is asked, not only the last one.

    Args:
        n: number of sequences.
        length: steps, at least 3.
        symbols: number of tokens, even.
        seed: fixes the draw.

    Raises:
        ValueError: the length is less than 3, or symbols is odd.
    """
    if length < 3 or symbols % 2 or symbols < 2:
        raise ValueError(
            f"length, symbols: expected at least 3 and an even number, got {length} and {symbols}"
        )
    rng, half = np.random.default_rng(seed), symbols // 2
    value = half + rng.integers(0, half, (n, half))
    keys = rng.integers(0, half, (n, (length + 1) // 2))
    x = np.zeros((n, keys.shape[1] * 2), np.int64)
    x[:, 0::2], x[:, 1::2] = keys, np.take_along_axis(value, keys, 1)
    y = np.full_like(x, IGNORED)
    known = (keys[:, :, None] == keys[:, None]) & np.tri(keys.shape[1], k=-1, dtype=bool)
    y[:, 0::2] = np.where(known.any(2), x[:, 1::2], IGNORED)
    return TokenTask(x[:, :length], y[:, :length], symbols)
