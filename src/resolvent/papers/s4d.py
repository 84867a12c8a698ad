"""S4D: its initialisations, and what dropping the low-rank term of HiPPO does to the system."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from resolvent.analysis import impulse_response, step_response, transfer_function
from resolvent.initialize import diagonal
from resolvent.initialize.modes import Modes
from resolvent.layers import S4D
from resolvent.papers.base import Claim, Paper, Row, spread
from resolvent.papers.small import accuracy, held_digits
from resolvent.structure import Diagonal
from resolvent.system import Continuous

SIZES = (16, 32, 64)


def first_coordinate(modes: Modes) -> Continuous:
    """The system of ``modes`` whose output is state 0, where LegS has G(s) = 1/(s + 1) exactly."""
    A = Diagonal(torch.from_numpy(modes.eigenvalues)[None])
    B, C = torch.from_numpy(modes.B)[None], torch.from_numpy(modes.V[0])[None]
    return Continuous(A, B, C, torch.zeros(1, 1, dtype=torch.float64))


def spike(seeds: Sequence[int]) -> list[Row]:
    """|G| of S4D-LegS at its largest eigenfrequency, against 2/pi at N^2/pi."""
    rows = []
    for n in SIZES:
        modes = diagonal.legs(n)
        omega = float(modes.eigenvalues.imag.max())
        height = float(transfer_function(first_coordinate(modes), torch.tensor(1j * omega)).abs())
        near = abs(height - 2 / math.pi) < 0.02 and abs(omega * math.pi / n**2 - 1) < 0.02
        rows.append(Row(f"N={n}: spike at ω", f"N²/π = {n**2 / math.pi:.1f}", f"{omega:.1f}"))
        rows.append(Row(f"N={n}: its height |G|", "2/π = 0.637 (S4: 1/ω)", f"{height:.3f}", near))
    return rows


def weak_convergence(seeds: Sequence[int]) -> list[Row]:
    """Errors of impulse and step response of S4D-LegS against LegS as N grows."""
    t = torch.linspace(0.5, 1.5, 2001, dtype=torch.float64)
    rows, kernel_errors, step_errors = [], [], []
    for n in (16, 64, 256):
        system = first_coordinate(diagonal.legs(n))
        kernel_errors.append(_rms(impulse_response(system, t)[0] - (-t).exp()))
        step_errors.append(_rms(step_response(system, t)[0] - (1 - (-t).exp())))
        rows.append(Row(f"N={n}: kernel error, rms", "does not fall", f"{kernel_errors[-1]:.2f}"))
        rows.append(
            Row(f"N={n}: step response error", "O(1/N) or faster", f"{step_errors[-1]:.1e}")
        )
    stays, falls = kernel_errors[-1] > 0.5 * kernel_errors[0], step_errors[-1] < step_errors[0] / 16
    rows.append(
        Row(
            "kernel stays off, step response converges",
            "yes",
            str(stays and falls),
            stays and falls,
        )
    )
    return rows


def initialisation(seeds: Sequence[int]) -> list[Row]:
    """Test accuracy after the same short training, by initialisation."""
    data = held_digits(hold=6)
    results = {
        init: [accuracy(lambda d, i=init: S4D(d, 32, init=i), data, seed) for seed in seeds]
        for init in ("legs", "lin", "inv", "rand", "real")
    }
    mean = {k: sum(v) / len(v) for k, v in results.items()}
    structured = min(mean[k] for k in ("legs", "lin", "inv"))
    holds = structured > max(mean["rand"], mean["real"])
    rows = [Row(f"{k}: test accuracy, 384-step digits", "-", spread(v)) for k, v in results.items()]
    return [*rows, Row("LegS, Lin, Inv all above Rand and Real", "yes", str(holds), holds)]


def _rms(x: Tensor) -> float:
    return float(x.square().mean().sqrt())


PAPER = Paper(
    name="S4D",
    title="On the Parameterization and Initialization of Diagonal State Space Models",
    authors="Albert Gu, Ankit Gupta, Karan Goel, Christopher Ré",
    year=2022,
    venue="Advances in Neural Information Processing Systems",
    choices="diagonal in conjugate halves · S4D-LegS/Lin/Inv/Real · ZOH or bilinear, a step size a "
    "feature · time-invariant",
    layer=S4D,
    claims=(
        Claim(
            "spike", "S4D-LegS has a resonance of height 2/π at ω ≈ N²/π that S4 lacks", spike, 2
        ),
        Claim(
            "weak-convergence",
            "S4D-LegS recovers S4 as N grows for smooth inputs, but not pointwise in its kernel",
            weak_convergence,
            5,
        ),
        Claim(
            "initialisation",
            "structured initialisations (LegS, Lin, Inv) beat random and real ones",
            initialisation,
            120,
        ),
    ),
)
