"""The tests of the kernels on native kernels that were built with sanitizers.

    python tests/sanitize.py [address,undefined | thread | all] [arguments of pytest]

Builds the native module of this machine's best instruction set into build/sanitize, loads it in the
place of the installed one, and runs tests/kernels. The first finding ends the run with a report and
a status that is not 0. Needs what the build needs (GCC with its sanitizers, CMake, nanobind). Not
part of the test suite: a build and a run take some ten minutes (less with -n 2).

When they were last run (AVX-512, GCC 12; AVX2 before), neither the address and undefined-behaviour
sanitizers nor the thread sanitizer found anything in these tests, from the first to the last.

Python and PyTorch have no sanitizer in them, so accesses that they make are not checked. The thread
sanitizer's build starts threads of its own (parallel.hpp), since it cannot see those of OpenMP.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUNTIME = {"address": "libasan.so", "thread": "libtsan.so"}
OPTIONS = {
    # the interpreter never frees all that it has at its end, and replaced libraries stay loaded
    "ASAN_OPTIONS": "detect_leaks=0:verify_asan_link_order=0",
    "TSAN_OPTIONS": "halt_on_error=1:ignore_noninstrumented_modules=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}


def build(sanitizers: str) -> Path:
    """The native module, built with the sanitizers that -fsanitize=`sanitizers` names."""
    import nanobind

    from resolvent.kernels.backend import available

    best = next(iter(available()), "baseline")
    folder = ROOT / "build" / "sanitize" / sanitizers.replace(",", "-")
    settings = {
        "CMAKE_PREFIX_PATH": nanobind.cmake_dir(),
        "Python_EXECUTABLE": sys.executable,
        "RESOLVENT_SANITIZE": sanitizers,
        "SKBUILD_STATE": "wheel",
    }
    configure = ["cmake", "-S", str(ROOT), "-B", str(folder)]
    subprocess.run([*configure, *(f"-D{k}={v}" for k, v in settings.items())], check=True)
    target = f"_native_{best}"
    subprocess.run(["cmake", "--build", str(folder), "--target", target, "-j"], check=True)
    return next(folder.glob(f"{target}.*so"))


def run(sanitizers: str, arguments: list[str]) -> int:
    """The status of pytest under one build."""
    module = build(sanitizers)
    # the C++ library with it: the runtime looks for what throws exceptions when it is loaded
    libraries = [RUNTIME[sanitizers.split(",")[0]], "libstdc++.so"]
    environment = {
        **os.environ,
        **OPTIONS,
        "LD_PRELOAD": " ".join(map(find, libraries)),
        "PYTHONPATH": str(ROOT / "tests"),
        "SANITIZED_KERNELS": str(module),
    }
    # reports go past Python, and the process ends with them
    tests = [str(ROOT / "tests" / "kernels"), "-p", "sanitize", "-x", "--capture=sys"]
    tests += ["-k", "not torch", "--ignore", str(ROOT / "tests/kernels/test_kernels_backend.py")]
    command = [sys.executable, "-m", "pytest", *tests, *arguments]
    print(f"{sanitizers}: {' '.join(command)}", flush=True)
    return subprocess.run(command, env=environment, cwd=ROOT).returncode


def find(library: str) -> str:
    """Where the compiler has a library."""
    ask = [os.environ.get("CXX", "g++"), f"-print-file-name={library}"]
    return subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip()


def load(path: str) -> None:
    """Makes the module at `path` the only native one."""
    from resolvent.kernels import backend

    name = Path(path).name.split(".")[0]
    spec = importlib.util.spec_from_file_location(f"resolvent.kernels.{name}", path)
    assert spec and spec.loader, f"{path} is no extension module"
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    backend.available = lambda: {name.removeprefix("_native_"): module}


if __name__ == "__main__":
    kinds, rest = sys.argv[1:2] or ["all"], sys.argv[2:]
    kinds = ["address,undefined", "thread"] if kinds == ["all"] else kinds
    sys.exit(max(run(kind, rest) for kind in kinds))
elif "SANITIZED_KERNELS" in os.environ:  # as a plugin of pytest
    load(os.environ["SANITIZED_KERNELS"])
