"""A layer named as "path/to/file.py:Class" or "package.module:Class", ready to be built."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

from torch import nn

from resolvent.contract.subject import Factory


def load_layer(target: str, settings: Mapping[str, object] | None = None) -> Factory:
    """A function that builds the layer ``target`` for a number of features.

    Args:
        target: "file.py:Class" or "package.module:Class"; in place of a class, any function that
            takes d_model first and returns an nn.Module.
        settings: further keyword arguments of the class.

    Raises:
        ValueError: the target is not of that form, has no such name, or the name cannot be called.
        FileNotFoundError: there is no such file.
        ImportError: the file or module cannot be imported; the message says why.
    """
    where, _, name = target.rpartition(":")
    if not where or not name.isidentifier():
        raise ValueError(f"target: expected 'path/to/file.py:Class', got {target!r}")
    module = _from_file(Path(where)) if where.endswith(".py") else _from_package(where)
    make = getattr(module, name, None)
    if make is None:
        known = ", ".join(x for x, v in vars(module).items() if _is_layer(v, module))
        raise ValueError(f"target: {where} has no {name!r}; its layers are: {known or 'none'}")
    if not callable(make):
        raise ValueError(f"target: {name!r} is {type(make).__name__}, expected a class or function")
    return _factory(make, dict(settings or {}), name)


def _factory(make: Callable[..., object], settings: dict[str, object], name: str) -> Factory:
    def build(d_model: int) -> nn.Module:
        layer = make(d_model, **settings)
        if not isinstance(layer, nn.Module):
            raise TypeError(f"{name} must build a torch.nn.Module, got {type(layer).__name__}")
        return layer

    return build


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise FileNotFoundError(f"target: there is no file {path}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    previous = sys.modules.get(path.stem)
    sys.modules[path.stem] = module  # dataclasses and pickles look their module up
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        spec.loader.exec_module(module)
    except Exception as problem:
        if previous is None:
            del sys.modules[path.stem]
        raise ImportError(
            f"target: {path} does not import: {type(problem).__name__}: {problem}"
        ) from problem
    finally:
        sys.path.pop(0)
        if previous is not None:
            sys.modules[path.stem] = previous
    return module


def _from_package(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as problem:
        raise ImportError(
            f"target: {name} does not import: {type(problem).__name__}: {problem}"
        ) from problem


def _is_layer(value: object, module: ModuleType) -> bool:
    own = getattr(value, "__module__", None) == module.__name__
    return own and isinstance(value, type) and issubclass(value, nn.Module)
