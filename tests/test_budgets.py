"""Budgets that keep the code readable, and formulas that may live in one file only."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "resolvent"
FILES = sorted(SOURCE.rglob("*.py"))
NATIVE = sorted(x for x in SOURCE.rglob("*") if x.suffix in {".cpp", ".hpp"})
TESTS = sorted((ROOT / "tests").rglob("*.py"))

LINES = 300
FUNCTION_P95 = 60
ARGUMENTS = 8
OPERATOR_EXTRA = 2
"""An operator of torch.library is a flat list of tensors; a backward one has all of them."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> list[Function]:
    return [x for x in ast.walk(ast.parse(path.read_text())) if isinstance(x, Function)]


def length(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


@pytest.mark.parametrize("path", [*FILES, *NATIVE], ids=short)
def test_files_are_short(path):
    assert len(path.read_text().splitlines()) <= LINES


def test_functions_are_short():
    lengths = sorted(length(f) for path in FILES for f in functions(path))
    assert lengths[int(0.95 * len(lengths))] <= FUNCTION_P95
    assert lengths[len(lengths) // 2] <= 12


@pytest.mark.parametrize("path", FILES, ids=short)
def test_signatures_are_short(path):
    for function in functions(path):
        a = function.args
        names = [x.arg for x in (*a.posonlyargs, *a.args, *a.kwonlyargs)]
        own = [x for x in names if x not in ("self", "cls")]
        limit = ARGUMENTS + OPERATOR_EXTRA * (path.parent.name == "kernels")
        assert len(own) <= limit, f"{function.name} takes {len(own)} arguments: {own}"


@pytest.mark.parametrize("path", FILES, ids=short)
def test_unknown_arguments_are_not_absorbed(path):
    for function in functions(path):
        if function.args.kwarg is None:
            continue
        # the names may be passed on whole, to something that knows them
        name = function.args.kwarg.arg
        used = [x.id for x in ast.walk(function) if isinstance(x, ast.Name) and x.id == name]
        assert used, f"{function.name} swallows **{name}"


CODE = (ast.Import, ast.ImportFrom, ast.Return, ast.Raise, ast.Assert, ast.Delete, ast.With)


def is_code(comment: str) -> bool:
    """Whether a comment is a statement of Python, other than a formula or a word."""
    text = comment.lstrip("#").strip()
    if re.match(r"(noqa|type:|pyright:|pragma|fmt:|ruff:|!)", text):
        return False
    if re.match(r"(if|for|while|def|class|with|try|elif|else)\b.*:$", text):
        return True
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return False
    if len(tree.body) != 1:
        return False
    (node,) = tree.body
    if isinstance(node, ast.Expr):
        call = node.value
        return isinstance(call, ast.Call) and not isinstance(call.func, ast.Constant)
    if isinstance(node, ast.Assign):
        return any(isinstance(x, ast.Call | ast.Attribute) for x in ast.walk(node.value))
    return isinstance(node, CODE)


@pytest.mark.parametrize("path", [*FILES, *TESTS], ids=short)
def test_no_code_is_commented_out(path):
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
    found = [t.string for t in tokens if t.type == tokenize.COMMENT and is_code(t.string)]
    assert not found


@pytest.mark.parametrize("path", [*FILES, *NATIVE, *TESTS], ids=short)
def test_nothing_is_left_to_do(path):
    marks = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b|breakpoint\(\)")
    assert not marks.search(path.read_text())


@pytest.mark.parametrize("path", FILES, ids=short)
def test_public_names_have_docstrings(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "the module has no docstring"
    for parent in [tree, *(x for x in tree.body if isinstance(x, ast.ClassDef))]:
        if isinstance(parent, ast.ClassDef) and parent.name.startswith("_"):
            continue
        for node in parent.body:
            if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{node.name} has no docstring"


HOMES = {
    "phi1, from expm1": (
        r"\btorch\.expm1\b",
        {"structure/diagonal.py", "papers/dss.py", "kernels/zoh_ops.py"},
    ),
    "inverse softplus": (r"\bnp\.expm1\b", {"initialize/timescale.py"}),
    "matrix exponential": (r"\bmatrix_exp\b", {"structure/dense.py"}),
    "Legendre coefficients": (
        r"sqrt\(2 \* [\w.()]+ \+ 1",
        {"initialize/hippo.py", "initialize/ptd.py"},
    ),
    "FFT convolution": (r"\birfft\(.*rfft|\brfft\(u\b", {"kernels/long_convolution_ops.py"}),
    "conjugate halves": (r"diag_embed\(self\.values\.real\)", {"structure/diagonal.py"}),
    "atomic replacement": (r"\bos\.(replace|rename)\(", {"atomic.py"}),
}


@pytest.mark.parametrize("formula", HOMES)
def test_every_formula_has_one_home(formula):
    pattern, homes = HOMES[formula]
    found = {
        str(path.relative_to(SOURCE)) for path in FILES if re.search(pattern, path.read_text())
    }
    assert found == homes


def test_no_body_is_written_twice():
    bodies = defaultdict(list)
    for path in FILES:
        for function in functions(path):
            body = [x for x in function.body if not _is_docstring(x)]
            lines = sum((x.end_lineno or x.lineno) - x.lineno + 1 for x in body)
            if lines >= 5:
                bodies["\n".join(ast.dump(x) for x in body)].append(f"{path.name}:{function.name}")
    twins = [names for names in bodies.values() if len(names) > 1]
    assert not twins


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


CLOCKS = {"time", "perf_counter", "monotonic", "process_time", "timeit"}


def _reads_clock(node: ast.AST, names: set[str]) -> bool:
    for x in ast.walk(node):
        if isinstance(x, ast.Call):
            called = x.func.attr if isinstance(x.func, ast.Attribute) else getattr(x.func, "id", "")
            if called in CLOCKS:
                return True
        if isinstance(x, ast.Name) and x.id in names:
            return True
    return False


def clock_assertions(source: str) -> list[int]:
    """Lines that assert something about a measured time."""
    found = []
    for function in (x for x in ast.walk(ast.parse(source)) if isinstance(x, Function)):
        names: set[str] = set()
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and _reads_clock(node.value, names):
                names |= {
                    x.id for t in node.targets for x in ast.walk(t) if isinstance(x, ast.Name)
                }
        for node in ast.walk(function):
            if isinstance(node, ast.Assert) and _reads_clock(node.test, names):
                found.append(node.lineno)
    return found


@pytest.mark.parametrize("path", TESTS, ids=short)
def test_no_test_depends_on_how_fast_the_machine_is(path):
    assert not clock_assertions(path.read_text())


def test_the_checks_themselves_see_what_they_look_for():
    assert is_code("# x = torch.zeros(3)") and is_code("# return x") and is_code("# print(x)")
    assert is_code("# for x in y:") and is_code("# import os")
    assert (
        not is_code("# A = 0") and not is_code("# the state (b, n)") and not is_code("# noqa: E1")
    )
    timed = "def f():\n  t = perf_counter()\n  d = perf_counter() - t\n  assert d < 1\n"
    assert clock_assertions(timed) == [4]
    assert clock_assertions("def f():\n  t = perf_counter()\n  assert True\n") == []
