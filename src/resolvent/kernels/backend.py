"""Which implementation of the kernels runs: the choice of an instruction set and its reason.

The native kernels are one extension module for each instruction set (`_native_baseline`,
`_native_avx2`, `_native_avx512`), built at installation if there is a C++ compiler. The best one
that the processor can run is loaded at the first call; without any, the same ops run on PyTorch
operations. The environment variable `RESOLVENT_KERNELS` (`auto`, `torch`, `baseline`, `avx2` or
`avx512`) forces the choice; an unavailable one is an error that names those available.
"""

import importlib
import json
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import ModuleType

import torch

INSTRUCTION_SETS = ("avx512", "avx2", "baseline")
"""The instruction sets that kernels are built for, best first."""

NATIVE_SOURCES = Path(__file__).with_name("native")

OPS = (
    "cauchy",
    "delta_rule",
    "diagonal_mimo",
    "diagonal_scan",
    "diagonal_ssm",
    "elman_scan",
    "gru_scan",
    "linear",
    "long_convolution",
    "lstm_scan",
    "matrix_scan",
    "selective_scan",
    "short_convolution",
    "slstm_scan",
    "zoh",
)
"""The ops that have a native kernel."""


@dataclass(frozen=True)
class OpStatus:
    """How one op runs here: its name, its backend and threads, and why it is that one."""

    op: str
    backend: str
    reason: str


@dataclass(frozen=True)
class Backend:
    """A choice made: the module of native kernels (None: PyTorch operations), and why."""

    name: str
    module: ModuleType | None
    reason: str
    forced: bool = False


def _build_record() -> dict[str, str]:
    """What the installation wrote about the build: built, reason, compiler."""
    path = Path(__file__).with_name("build.json")
    if not path.exists():
        reason = "the package was not installed, so its native kernels were not built"
        return {"built": "", "reason": reason, "compiler": ""}
    return json.loads(path.read_text())


@cache
def available() -> dict[str, ModuleType]:
    """The native modules that this machine can run, best first; empty if none was built.

    Raises:
        ImportError: They were built from other sources than those of this package.
    """
    try:
        baseline = importlib.import_module("resolvent.kernels._native_baseline")
    except ImportError:
        return {}
    if getattr(baseline, "sources", "") != _digest_of_sources():
        raise ImportError(
            "the native kernels were built from other sources than those beside them, so their "
            "arguments may differ: build them again with pip install (--editable) of resolvent; "
            "RESOLVENT_KERNELS=torch runs without them"
        )
    found = {}
    for name in INSTRUCTION_SETS:
        if name == "baseline" or getattr(baseline, name):
            found[name] = importlib.import_module(f"resolvent.kernels._native_{name}")
    _keep_freed_arrays()
    return found


def _keep_freed_arrays() -> None:
    """Let the C library keep arrays of some megabytes when they are freed, for the next step.

    glibc gives such memory back to the system until it has seen a larger block freed, and a page
    that comes back fresh costs more than the arithmetic that fills it. A block of the largest size
    that it learns from, never written to, raises that limit to twice its size; this frees one.
    """
    torch.empty(31 << 20, dtype=torch.uint8)


def _digest_of_sources() -> str:
    """The digest of the C++ sources that the build gave to the native modules."""
    files = NATIVE_SOURCES.glob("*.[ch]pp")
    digests = sorted(sha256(x.read_bytes()).hexdigest() for x in files)
    return sha256("".join(digests).encode()).hexdigest()


def choose(wanted: str) -> Backend:
    """The backend called `wanted`.

    Args:
        wanted: `auto`, `torch`, or one of `INSTRUCTION_SETS`.

    Raises:
        ValueError: There is no such backend on this machine.
    """
    if wanted == "torch":
        return Backend("torch", None, "forced by RESOLVENT_KERNELS=torch", True)
    modules = available()
    if wanted == "auto" and not modules:
        return Backend(
            "torch", None, _build_record()["reason"] or "its native module does not load"
        )
    if wanted == "auto":
        name = next(iter(modules))
        return Backend(name, modules[name], "the best instruction set of this processor")
    if wanted in modules:
        return Backend(wanted, modules[wanted], f"forced by RESOLVENT_KERNELS={wanted}", True)
    raise ValueError(
        f"RESOLVENT_KERNELS={wanted!r} is not available on this machine: expected one of "
        f"{', '.join(('auto', 'torch', *modules))}; unset the variable to let Resolvent choose."
    )


_current: Backend | None = None
_warned = False


def current() -> Backend:
    """The backend in use; the first call chooses it.

    Raises:
        ValueError: `RESOLVENT_KERNELS` names a backend that this machine does not have.
    """
    global _current
    if _current is None:
        _current = choose(os.environ.get("RESOLVENT_KERNELS", "auto"))
    return _current


def native() -> ModuleType | None:
    """The module of native kernels in use, or None for PyTorch, of which it warns once."""
    global _warned
    backend = current()
    if backend.module is None and not backend.forced and not _warned:
        _warned = True
        warnings.warn(
            f"Resolvent runs without its native kernels, many times slower: {backend.reason}. "
            "Install a C++ compiler (g++ or clang++) and reinstall; `resolvent doctor` tells more. "
            "RESOLVENT_KERNELS=torch accepts the slow path and silences this warning.",
            RuntimeWarning,
            stacklevel=2,
        )
    return backend.module


@contextmanager
def using(name: str) -> Iterator[Backend]:
    """Runs the kernels on backend `name` (as for `RESOLVENT_KERNELS`) within a `with` block."""
    global _current
    previous, _current = _current, choose(name)
    try:
        yield _current
    finally:
        _current = previous


def status() -> list[OpStatus]:
    """How each op runs on this machine and why; what `resolvent doctor` prints."""
    backend = current()
    threads = torch.get_num_threads()
    if backend.module is not None and not backend.module.openmp:
        threads = 1
    reason = f"{backend.reason}; {threads} thread{'s' * (threads != 1)}"
    if backend.module is not None:
        reason += f"; built by {_build_record()['compiler'] or 'an unknown compiler'}"
    return [OpStatus(op, backend.name, reason) for op in OPS]
