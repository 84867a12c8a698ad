"""What importing costs, that everything imports, and that the oracle owes the package nothing."""

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import resolvent

TESTS = Path(__file__).parent
MODULES = [
    module.name
    for module in pkgutil.walk_packages(resolvent.__path__, "resolvent.")
    if not module.name.endswith("__main__") and "._native" not in module.name
]


@pytest.mark.parametrize("name", MODULES)
def test_every_module_imports_and_has_what_it_exports(name):
    module = importlib.import_module(name)
    for exported in getattr(module, "__all__", ()):
        assert hasattr(module, exported), f"{name} has no {exported}"


def loaded_by(statement: str) -> set[str]:
    """Top-level modules that a fresh interpreter has after a statement."""
    code = f"import sys; {statement}; print(*{{x.split('.')[0] for x in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_package_itself_is_light():
    assert not loaded_by("import resolvent") & {"torch", "numpy", "pandas"}


def test_parts_are_attributes_of_the_package():
    assert "torch" in loaded_by("import resolvent; resolvent.layers.S4D, resolvent.discretize.zoh")


def test_layers_do_not_load_the_frameworks_above():
    heavy = {"pandas", "sklearn", "matplotlib", "rich", "tyro", "jinja2", "accelerate", "aeon"}
    assert not loaded_by("import resolvent.layers") & heavy


def test_names_that_others_build_on():
    from resolvent import SequenceClassifier, SequenceRegressor, analysis, discretize, layers
    from resolvent.initialize import diagonal, hippo, ptd

    assert {"S4", "S4D", "DSS", "S5", "LRU", "LSSL"} <= set(layers.ALL)
    assert callable(ptd.dissipative) and callable(ptd.optimised)
    assert callable(hippo.legs) and callable(diagonal.legs) and callable(analysis.kernel)
    assert callable(discretize.zoh) and SequenceClassifier and SequenceRegressor


def test_unknown_names_of_the_package():
    with pytest.raises(AttributeError, match="no attribute 'SequenceClusterer'"):
        resolvent.SequenceClusterer  # noqa: B018


def test_the_oracle_shares_nothing_with_the_package():
    tree = ast.parse((TESTS / "oracle.py").read_text())
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    assert names <= {"__future__", "numpy", "scipy"}
