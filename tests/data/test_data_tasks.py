"""Labels of the synthetic tasks against brute force, and lengths that are their own."""

import itertools

import numpy as np
import pytest

from resolvent.data import tasks
from resolvent.data.tasks import IGNORED, stack

SIGNS = "+-*=()"


def text(row, modulus):
    """An arithmetic expression as Python writes it."""
    said = "".join(str(v) if v < modulus else SIGNS[v - modulus] for v in row.tolist())
    return said.rstrip("=")


@pytest.mark.parametrize("length", [1, 40])
def test_parity(length):
    task = tasks.parity(5, length)
    for x, y in zip(task.x, task.y, strict=True):
        assert [sum(x[: t + 1]) % 2 for t in range(length)] == y.tolist()


@pytest.mark.parametrize("make", [tasks.modular_arithmetic, tasks.bracketed_arithmetic])
@pytest.mark.parametrize("length", [2, 3, 4, 5, 9, 40, 41])
@pytest.mark.parametrize("modulus", [2, 5, 7])
def test_arithmetic_is_what_python_says(make, length, modulus):
    task = make(30, length, modulus)
    assert task.x.shape == task.y.shape == (30, length) and task.x.max() < task.vocab_size
    for x, y in zip(task.x, task.y, strict=True):
        assert eval(text(x, modulus)) % modulus == y[-1]
        assert (y[:-1] == IGNORED).all() and x[-1] == modulus + 3


def test_expressions_are_as_long_as_they_can_be():
    plain, nested = tasks.modular_arithmetic(1, 40).x[0], tasks.bracketed_arithmetic(1, 40).x[0]
    assert len(text(plain, 5)) == 39 and len(text(nested, 5)) == 37  # four tokens an operand


@pytest.mark.parametrize(
    "group, order", [("Z60", 60), ("S3", 6), ("S4", 24), ("S5", 120), ("A4", 12), ("A5", 60)]
)
def test_tables_are_groups(group, order):
    table = tasks.multiplication_table(group)
    every = np.arange(order)
    assert table.shape == (order, order)
    assert (table[0] == every).all() and (table[:, 0] == every).all()
    assert (np.sort(table, 0) == every[:, None]).all() and (np.sort(table, 1) == every).all()
    a, b, c = np.random.default_rng(0).integers(0, order, (3, 200))
    assert (table[table[a, b], c] == table[a, table[b, c]]).all()
    assert bool((table == table.T).all()) == (group[0] == "Z")


@pytest.mark.parametrize("group", ["S4", "A4"])
def test_words_are_products_of_permutations(group):
    degree = int(group[1:])
    elements = list(itertools.permutations(range(degree)))
    if group[0] == "A":
        elements = [p for p in elements if np.linalg.det(np.eye(degree)[list(p)]) > 0]
    task = tasks.group_word(4, 30, group, seed=3)
    for x, y in zip(task.x, task.y, strict=True):
        things = tuple(range(degree))
        for letter, product in zip(x, y, strict=True):
            things = tuple(elements[letter][i] for i in things)
            assert things == elements[product]


def test_swaps_exchange_two_things_and_reach_all():
    task = tasks.group_word(50, 60, "S4", swaps=True)
    elements = list(itertools.permutations(range(4)))
    used = {elements[i] for i in np.unique(task.x)}
    assert len(used) == 6 and all(sum(i != v for i, v in enumerate(p)) == 2 for p in used)
    assert len(np.unique(task.y)) == 24


@pytest.mark.parametrize("kinds, depth", [(1, 1), (2, 3), (3, 8)])
def test_dyck_is_a_stack(kinds, depth):
    task = tasks.dyck(20, 50, kinds, depth)
    deepest = 0
    for x, y in zip(task.x, task.y, strict=True):
        opened = []
        for token, answer in zip(x.tolist(), y.tolist(), strict=True):
            if token < kinds:
                opened.append(token)
            else:
                assert opened.pop() == token - kinds
            deepest = max(deepest, len(opened))
            assert answer == kinds + (opened[-1] if opened else kinds)
    assert deepest == depth


def test_sorting():
    task = tasks.sorting(6, 20, symbols=7)
    for x, y in zip(task.x, task.y, strict=True):
        assert sorted(x[:10].tolist()) == y[10:].tolist()
        assert (x[10:] == 7).all() and (y[:10] == IGNORED).all()


def evaluate(tokens):
    """Value of the nested list that starts at the front of ``tokens``."""
    token = tokens.pop(0)
    if token < 10:
        return token
    values = []
    while tokens[0] != stack.CLOSE:
        values.append(evaluate(tokens))
    tokens.pop(0)
    ordered = sorted(values)
    middle = (ordered[(len(values) - 1) // 2] + ordered[len(values) // 2]) // 2
    return {
        stack.MINIMUM: ordered[0],
        stack.MAXIMUM: ordered[-1],
        stack.MEDIAN: middle,
        stack.SUM: sum(values) % 10,
    }[token]


@pytest.mark.parametrize("length", [8, 40, 300])
def test_list_ops(length):
    task = tasks.list_ops(20, length)
    for x, y in zip(task.x, task.y, strict=True):
        tokens = [v for v in x.tolist() if v != stack.BLANK]
        assert len(tokens) >= length // 4
        assert evaluate(tokens) == y[-1] and not tokens


@pytest.mark.parametrize("length, items, symbols", [(1, 1, 1), (20, 5, 4), (16, 16, 3)])
def test_selective_copying_says_the_items_in_order(length, items, symbols):
    task = tasks.selective_copying(20, length, items, symbols)
    for x, y in zip(task.x.tolist(), task.y.tolist(), strict=True):
        assert x[length:] == [symbols + 1] * items and y[:length] == [IGNORED] * length
        assert y[length:] == [v for v in x[:length] if v] and max(y) <= symbols


@pytest.mark.parametrize("length, symbols", [(3, 1), (10, 4), (100, 16)])
def test_induction_says_what_followed_the_special_token(length, symbols):
    task = tasks.induction_heads(50, length, symbols)
    for x, y in zip(task.x.tolist(), task.y.tolist(), strict=True):
        first = x.index(symbols)
        assert x.count(symbols) == 2 and x[-1] == symbols and y[-1] == x[first + 1] < symbols
        assert y[:-1] == [IGNORED] * (length - 1)


@pytest.mark.parametrize("length, pairs, symbols", [(9, 3, 6), (24, 8, 16), (64, 8, 64)])
def test_recall_is_a_dictionary(length, pairs, symbols):
    task = tasks.multi_query_recall(30, length, pairs, symbols)
    for x, y in zip(task.x.tolist(), task.y.tolist(), strict=True):
        said = dict(zip(x[0 : 2 * pairs : 2], x[1 : 2 * pairs : 2], strict=True))
        asked = [t for t in range(length) if y[t] != IGNORED]
        assert len(said) == pairs and sorted(said) == sorted(x[t] for t in asked)
        assert all(t >= 2 * pairs and y[t] == said[x[t]] > symbols // 2 for t in asked)
        assert not any(x[t] for t in range(2 * pairs, length) if t not in asked)


def test_a_start_comes_before_everything():
    task = tasks.induction_heads(5, 6, symbols=4, seed=0)
    begun = tasks.after_start(task)
    assert (begun.x[:, 0] == task.vocab_size).all() and (begun.y[:, 0] == IGNORED).all()
    assert (begun.x[:, 1:] == task.x).all() and (begun.y[:, 1:] == task.y).all()
    assert begun.vocab_size == task.vocab_size + 1


def test_adding():
    u, y = tasks.adding(40, 11)
    marks = u[..., 1]
    assert (marks.sum(1) == 2).all() and (marks[:, :5].sum(1) == 1).all()
    np.testing.assert_allclose((u[..., 0] * marks).sum(1), y)


def connected(image):
    """Whether the two dots are joined by pixels that touch, corners included."""
    dots = [tuple(v) for v in np.argwhere(image == 1)]
    seen, todo = {dots[0]}, [dots[0]]
    while todo:
        i, j = todo.pop()
        for step in itertools.product((-1, 0, 1), repeat=2):
            place = (i + step[0], j + step[1])
            inside = all(0 <= v < len(image) for v in place)
            if inside and place not in seen and image[place] > 0:
                seen.add(place)
                todo.append(place)
    return len(dots) == 2 and dots[1] in seen


@pytest.mark.parametrize("size", [16, 32])
def test_pathfinder(size):
    series = tasks.pathfinder(30, size, gap=0)
    images = [x.reshape(size, size) for x in series.X]
    assert [connected(image) for image in images] == [bool(v) for v in series.labels]
    assert 0 < np.mean(series.labels) < 1
    apart = np.array([np.linalg.norm(np.subtract(*np.argwhere(image == 1))) for image in images])
    ends = (apart[series.labels == label] for label in (0, 1))
    assert abs(np.subtract(*(v.mean() for v in ends))) < 0.1 * size  # no distance gives it away
    dashed = tasks.pathfinder(30, size, gap=1)
    assert (dashed.labels == series.labels).all()
    assert sum(x.sum() for x in dashed.X) < 0.8 * sum(x.sum() for x in series.X)


@pytest.mark.parametrize("name", tasks.EXTRAPOLATIONS)
def test_every_task_extrapolates_and_is_seeded(name):
    task = tasks.EXTRAPOLATIONS[name]
    train, test = task.draw(3, 2)
    assert len(train.x) == 3 and len(test.x) == 2
    assert train.x.shape[1] >= task.train < task.test <= test.x.shape[1]
    for found in (train, test):
        assert found.x.shape == found.y.shape and found.x.min() >= 0
        assert max(found.x.max(), found.y.max()) < found.vocab_size
    again, other = task.draw(3, 2), task.draw(3, 2, seed=1)
    assert (again[0].x == train.x).all() and (again[1].y == test.y).all()
    assert not (other[0].x == train.x).all()


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: tasks.parity(1, 0), "length: expected at least 1"),
        (lambda: tasks.modular_arithmetic(1, 1), "length: expected at least 2"),
        (lambda: tasks.bracketed_arithmetic(1, 9, modulus=1), "modulus: expected at least 2"),
        (lambda: tasks.group_word(1, 9, "Q8"), "group: expected Z, S or A"),
        (lambda: tasks.group_word(1, 9, "Z6", swaps=True), "swaps: expected a symmetric group"),
        (lambda: tasks.dyck(1, 9, kinds=0), "kinds, depth: expected at least 1"),
        (lambda: tasks.sorting(1, 9), "length: expected an even number, got 9"),
        (lambda: tasks.list_ops(1, 9, arguments=1), "depth, arguments: expected at least 1 and 2"),
        (lambda: tasks.pathfinder(1, 4), "size: expected at least 12, got 4"),
    ],
)
def test_impossible_tasks_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
