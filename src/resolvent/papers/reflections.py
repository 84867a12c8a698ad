"""What products of reflections track without any training: words of finite groups, exactly.

A group is given by orthogonal matrices; an element with k reflections is a step of k writes at
beta = 2 whose values are zero. The recurrence then carries a vector through a word, and is held to
the group's multiplication table, which knows no rounding.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from resolvent.execute import run
from resolvent.papers.base import Row
from resolvent.structure import Householder, reflections
from resolvent.system import Varying

LENGTH = 10_000
"""Elements in a word."""


def permutations(degree: int, swaps: bool = False) -> Tensor:
    """Permutation matrices (g, degree, degree): all, or the exchanges of two things."""
    orders = [list(p) for p in itertools.permutations(range(degree))]
    if swaps:
        orders = [p for p in orders if sum(i != v for i, v in enumerate(p)) == 2]
    return torch.eye(degree, dtype=torch.float64)[torch.tensor(orders)]


def closure(generators: Tensor) -> Tensor:
    """All products of some matrices of a finite group (k, n, n): (g, n, n)."""
    found = [torch.eye(generators.shape[-1], dtype=generators.dtype)]
    for M in found:  # grows as it is read
        for product in generators @ M:
            if (torch.stack(found) - product).abs().amax((1, 2)).min() > 1e-6:
                found.append(product)
    return torch.stack(found)


def rotations_of_the_cube() -> Tensor:
    """The 24 rotations of a cube, a copy of S4: quarter turns about two axes make them."""
    turns = [[[0, -1, 0], [1, 0, 0], [0, 0, 1]], [[1, 0, 0], [0, 0, -1], [0, 1, 0]]]
    return closure(torch.tensor(turns, dtype=torch.float64))


def rotations_of_the_icosahedron() -> Tensor:
    """The 60 rotations of an icosahedron, a copy of A5: a third and a fifth of a turn make them."""
    golden = (1 + 5**0.5) / 2
    third = [[0, 0, 1], [1, 0, 0], [0, 1, 0]]
    fifth = [[1, -golden, 1 / golden], [golden, 1 / golden, -1], [1 / golden, 1, golden]]
    return closure(torch.tensor([third, (np.array(fifth) / 2).tolist()], dtype=torch.float64))


def table_of(elements: Tensor) -> np.ndarray:
    """Which element b after a is, (g, g), for a closed set of matrices (g, n, n)."""
    return _closest(torch.einsum("bij,ajk->abik", elements, elements), elements)


def as_steps(elements: Tensor) -> tuple[Tensor, Tensor]:
    """Keys (g, r, n) and beta (g, r) of every element, r writes for the hardest of them."""
    factors = [reflections(Q) for Q in elements]
    r, (g, n) = max(len(A.beta) for A in factors), elements.shape[:2]
    keys, beta = elements.new_zeros(g, r, n), elements.new_zeros(g, r)
    for i, A in enumerate(factors):
        keys[i, : len(A.beta)], beta[i, : len(A.beta)] = A.keys, A.beta
    return keys, beta


def track(keys: Tensor, beta: Tensor, word: Tensor, h0: Tensor, query: Tensor) -> Tensor:
    """Outputs (l,) of the delta rule that writes nothing, over a word (l,), from a state (n,)."""
    k, b = keys[word][None, :, None], beta[word][None, :, None]
    A = Householder(torch.ones_like(b[..., :1]), k, b)
    system = Varying.delta_rule(A, query.expand(1, len(word), 1, -1))
    nothing = b.new_zeros(*b.shape, 1)
    return run(system, nothing, h0[None, None, :, None])[0].flatten()


def words(seeds: Sequence[int]) -> list[Row]:
    """How many writes each group needs in one layer, and the error after 10,000 elements."""
    everything = permutations(5)
    groups = (
        ("S3, three things", 2, permutations(3), permutations(3)),
        ("swaps of five things", 1, permutations(5, swaps=True), everything),
        ("S4, rotations of a cube", 2, *[rotations_of_the_cube()] * 2),
        ("A5, rotations of an icosahedron", 2, *[rotations_of_the_icosahedron()] * 2),
        ("S5, five things", 4, everything, everything),
    )
    rows = []
    for name, least, letters, group in groups:
        writes, error = _error(letters, group, seeds)
        fine = writes == least
        rows += [
            Row(f"{name}: writes of the hardest element", str(least), str(writes), fine),
            Row(f"{name}: error after 10,000 elements", "0", f"{error:.1e}", error < 1e-9),
        ]
    return rows


def _error(letters: Tensor, group: Tensor, seeds: Sequence[int]) -> tuple[int, float]:
    """Writes a step, and the largest error of an output, over words of some letters of a group."""
    keys, beta = as_steps(letters)
    n, table = letters.shape[-1], table_of(group)
    places = _closest(letters, group)
    h0, query = torch.arange(1.0, n + 1).double(), torch.linspace(1, 2, n).double()
    worst = 0.0
    for seed in seeds:
        word = np.random.default_rng(seed).integers(0, len(letters), LENGTH)
        found = track(keys, beta, torch.from_numpy(word), h0, query)
        product, products = _closest(torch.eye(n).double()[None], group)[0], []
        for letter in places[word]:
            product = table[product, letter]
            products.append(product)
        expected = group[torch.from_numpy(np.array(products))] @ h0 @ query
        worst = max(worst, float((found - expected).abs().max()))
    return beta.shape[1], worst


def _closest(matrices: Tensor, group: Tensor) -> np.ndarray:
    """Places in a group (g, n, n) of matrices (..., n, n): (...,)."""
    return torch.cdist(matrices.flatten(-2), group.flatten(1)).argmin(-1).numpy()


def counting(seeds: Sequence[int]) -> list[Row]:
    """A state of one number and one write a step: the parity of a million bits."""
    rng = np.random.default_rng(min(seeds))
    bits = torch.from_numpy(rng.integers(0, 2, 10**6))
    one = torch.ones(2, 1, 1, dtype=torch.float64)
    found = track(one, torch.tensor([[0.0], [2.0]]).double(), bits, one[0, 0], one[0, 0])
    wrong = int((found != 1 - 2 * (bits.cumsum(0) % 2)).sum())
    return [Row("wrong signs in a million steps", "0", str(wrong), wrong == 0)]
