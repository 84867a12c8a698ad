"""Choosing a backend, saying which one it is, and threads."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings

import pytest
import torch

from kernels.kernel_cases import BACKENDS, Problem, every_backend, run
from resolvent.kernels import (
    Selective,
    diagonal_scan,
    diagonal_ssm,
    matrix_scan,
    selective_scan,
    status,
    using,
)
from resolvent.kernels import backend as choice
from resolvent.kernels.registry import BLOCK

native_only = pytest.mark.skipif(BACKENDS == ["torch"], reason="no native kernels were built")


def test_status_names_every_op_its_backend_and_why():
    for name in BACKENDS:
        with using(name):
            found = status()
        assert [x.op for x in found] == list(choice.OPS)
        assert {x.backend for x in found} == {name}
        assert all(f"RESOLVENT_KERNELS={name}" in x.reason for x in found)
    with using("auto"):
        assert {x.backend for x in status()} == {BACKENDS[0]}


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter."""
    return subprocess.run(
        [sys.executable, "-W", "always", "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


CALL = """
import torch
from resolvent import kernels
for _ in range(2):
    kernels.diagonal_scan(torch.rand(2), torch.rand(1, 3, 2))
print(kernels.status()[0].backend)
"""


def test_the_environment_forces_a_backend():
    assert python(CALL, RESOLVENT_KERNELS="torch").stdout.split() == ["torch"]


def test_an_unavailable_backend_is_an_error_that_names_the_available(monkeypatch):
    monkeypatch.setattr(choice, "_current", None)
    monkeypatch.setenv("RESOLVENT_KERNELS", "sse9")
    known = f"expected one of auto, torch{''.join(', ' + x for x in BACKENDS[:-1])}"
    with pytest.raises(ValueError, match=known):
        diagonal_scan(torch.rand(2), torch.rand(1, 3, 2))


def test_without_native_kernels_one_warning_says_why(monkeypatch):
    monkeypatch.setattr(choice, "available", dict)
    monkeypatch.setattr(choice, "_build_record", lambda: {"reason": "no compiler was found"})
    monkeypatch.setattr(choice, "_current", None)
    monkeypatch.setattr(choice, "_warned", False)
    monkeypatch.delenv("RESOLVENT_KERNELS", raising=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert all(x.backend == "torch" and "no compiler was found" in x.reason for x in status())
        assert not caught
        for _ in range(2):
            diagonal_scan(torch.rand(2), torch.rand(1, 3, 2))
    assert len(caught) == 1
    assert "no compiler was found" in str(caught[0].message)
    assert "resolvent doctor" in str(caught[0].message)


@native_only
def test_native_kernels_keep_states_where_they_are_looked_for():
    for module in choice.available().values():
        assert module.block == BLOCK


@native_only
def test_modules_of_other_sources_are_refused(tmp_path, monkeypatch):
    (tmp_path / "module.cpp").write_text("// changed since the build")
    monkeypatch.setattr(choice, "NATIVE_SOURCES", tmp_path)
    choice.available.cache_clear()
    with pytest.raises(ImportError, match="built from other sources.*build them again"):
        choice.available()
    assert choice.choose("torch").module is None
    monkeypatch.undo()
    assert choice.available()


THREADS = """
import os, torch
from resolvent import kernels
a = torch.rand(64, 32)
def new_threads(n):
    torch.set_num_threads(n)
    before = len(os.listdir("/proc/self/task"))
    for _ in range(3):
        kernels.diagonal_ssm(a, a, a, torch.rand(4, 512, 64))
    return len(os.listdir("/proc/self/task")) - before
new = [new_threads(1), new_threads(3)]
print(*new, sum("libgomp" in x and "r-x" in x for x in open("/proc/self/maps")))
"""


@native_only
@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
def test_threads_obey_torch_and_are_its_own():
    assert python(THREADS).stdout.split() == ["0", "2", "1"]


@every_backend
def test_results_do_not_depend_on_threads_or_on_chance(backend):
    torch.manual_seed(1)
    a = torch.polar(torch.rand(40, 3), 3 * torch.rand(40, 3))
    tensors = (a, torch.randn_like(a), torch.randn_like(a), torch.randn(5, 150, 40), None)
    problem = Problem(tensors, None, None)
    results = []
    before = torch.get_num_threads()
    try:
        # the order of torch's own sums may follow its threads
        for threads in (2, 2) if backend == "torch" else (1, 2, 2, 5):
            torch.set_num_threads(threads)
            with using(backend):
                results.append(run(diagonal_ssm, problem))
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(x, y) for x, y in zip(results[0], other, strict=True))


@pytest.mark.parametrize("op", ["ssm", "selective", "matrix"])
def test_a_backward_pass_runs_on_what_its_forward_ran_on(op):
    torch.manual_seed(0)
    b, l, m, n = 2, 3 * BLOCK, 3, 4  # more than one block: states are kept in between
    u, dt = torch.randn(b, l, m), torch.rand(b, l, m)
    maps, keys = torch.randn(b, l, 1, n), torch.randn(b, l, m, n)
    weight = torch.rand(m, n)
    run = {
        "ssm": lambda w: diagonal_ssm(torch.exp(-w), w, w, u)[0],
        "selective": lambda w: selective_scan(Selective(-w, maps, maps, dt), u)[0],
        "matrix": lambda w: matrix_scan(torch.exp(-dt / 50), keys, u[..., None], w * keys)[0],
    }[op]

    def gradient(forward: str, backward: str) -> torch.Tensor:
        leaf = weight.clone().requires_grad_()
        with using(forward):
            y = run(leaf)
        with using(backward):
            (grad,) = torch.autograd.grad(y.sum(), leaf)
        return grad

    found, expected = gradient("torch", "auto"), gradient("torch", "torch")
    # float32 sums over 192 steps; gradients that start from states of zero differ at once
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
