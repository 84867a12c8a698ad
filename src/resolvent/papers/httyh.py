"""How to train your HiPPO: HiPPO kernels are orthogonal bases, and step sizes set their window."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from resolvent import discretize
from resolvent.data.synthetic import delay
from resolvent.execute import run
from resolvent.initialize import hippo
from resolvent.initialize.hippo import Hippo
from resolvent.layers import S4
from resolvent.papers.base import Claim, Paper, Row, spread, yes_no
from resolvent.structure import Dense
from resolvent.system import Continuous

LENGTH, LAG, STATES = 512, 128, 32


def warped_legendre(seeds: Sequence[int]) -> list[Row]:
    """e^{tA} B of LegS against Legendre polynomials of e^-t; windowed kernels against theirs."""
    from scipy.linalg import expm

    rows = []
    t = np.linspace(0.05, 0.95, 19)
    for name, n, published, tolerance in (
        ("legs", 8, "exact", 1e-12),
        ("legt", 64, "in the limit", 0.3),
        ("fout", 65, "in the limit", 0.3),
    ):
        system = hippo.by_name(name, n)
        K = np.stack([expm(s * system.A) @ system.B for s in t], -1)
        target = hippo.basis(name, n, t).T
        error = float(np.sqrt(np.mean((K[:8] - target[:8]) ** 2)))
        rows.append(
            Row(
                f"{name}, N={n}: e^(tA)B against its basis, rms",
                published,
                f"{error:.1e}",
                error < tolerance,
            )
        )
    return rows


def timescale(seeds: Sequence[int]) -> list[Row]:
    """Delay by 128 steps, readout by least squares: right and wrong step sizes for each measure."""
    rows, best = [], {}
    for name in ("legs", "legt", "fout"):
        for label, dt in (("1/lag", 1 / LAG), ("10/lag", 10 / LAG), ("0.1/lag", 0.1 / LAG)):
            errors = [_delay_error(hippo.by_name(name, STATES), dt, seed) for seed in seeds]
            best[name, label] = np.mean(errors)
            rows.append(Row(f"{name}, Δ = {label}: log10 MSE", "-", spread(errors)))
    holds = all(
        best[n, "1/lag"] < min(best[n, "10/lag"], best[n, "0.1/lag"]) for n in ("legt", "fout")
    )
    return [*rows, Row("windowed measures need Δ = window/lag", "yes", yes_no(holds), holds)]


def _delay_error(system: Hippo, dt: float, seed: int) -> float:
    """log10 of the test error of the best linear readout of the states, relative to the signal."""
    u, y = (x[..., 0] for x in delay(n=16, length=LENGTH, lag=LAG, seed=seed))
    h = _states(system, dt, u)
    design, target = h[:8].reshape(-1, STATES), y[:8].reshape(-1)
    C = np.linalg.lstsq(design, target, rcond=1e-10)[0]
    residual = h[8:] @ C - y[8:]
    return float(np.log10(np.mean(residual**2) / np.mean(y[8:] ** 2)))


def _states(system: Hippo, dt: float, u: np.ndarray) -> np.ndarray:
    """State trajectories (n, length, N) of the bilinear recurrence driven by u (n, length)."""
    A, B = torch.from_numpy(system.A)[None], torch.from_numpy(system.B)[None, :, None]
    eye = torch.eye(len(system.B), dtype=torch.float64)[None]
    none = torch.zeros(1, 1, dtype=torch.float64)
    continuous = Continuous(Dense(A), B, eye, none, mimo=True)
    discrete = continuous.discretize(
        discretize.bilinear, torch.full((1, 1), dt, dtype=torch.float64)
    )
    h, _ = run(discrete, torch.from_numpy(u).double()[..., None, None])
    return h[:, :, 0].numpy()


PAPER = Paper(
    name="S4-LegS/FouT",
    title="How to Train Your HiPPO: State Space Models with Generalized Orthogonal Basis "
    "Projections",
    authors="Albert Gu, Isys Johnson, Aman Timalsina, Atri Rudra, Christopher Ré",
    year=2023,
    venue="International Conference on Learning Representations",
    choices="diagonal plus low rank · HiPPO-LegS, LegT, FouT and mixtures, Δ by window/lag · "
    "bilinear · time-invariant",
    layer=lambda d_model: S4(d_model, init=("legs", "fout")),
    claims=(
        Claim(
            "warped-legendre",
            "S4's kernels are Legendre polynomials of the exponentially warped "
            "past; LegT's and FouT's are bases of a finite window",
            warped_legendre,
            5,
        ),
        Claim(
            "timescale",
            "a window measure remembers a lag only if Δ fits the window to it",
            timescale,
            30,
        ),
    ),
)
