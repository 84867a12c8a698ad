"""S4D: its initialisations, and what dropping the low-rank term of HiPPO does to the system."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from scipy.signal import lfilter
from torch import Tensor

from resolvent import discretize
from resolvent.analysis import impulse_response, step_response, transfer_function
from resolvent.data.synthetic import delay
from resolvent.initialize import diagonal
from resolvent.initialize.modes import Modes
from resolvent.layers import S4D
from resolvent.papers.base import Claim, Paper, Row, spread, yes_no
from resolvent.papers.small import accuracy, held_digits
from resolvent.structure import Diagonal
from resolvent.system import Continuous

SIZES = (16, 32, 64)

LENGTH, LAG, COPIES = 2048, 512, 4


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
            yes_no(stays and falls),
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
    return [*rows, Row("LegS, Lin, Inv all above Rand and Real", "yes", yes_no(holds), holds)]


def memory(seeds: Sequence[int]) -> list[Row]:
    """How well the input of LAG steps ago can be read from the states that an initialisation makes.

    This is memory alone, at once long and finely resolved, before any training: nothing but the
    readout is fitted, by least squares. A layer's step sizes start log-uniform in [1e-3, 1e-1], so
    that each initialisation gets a copy of its modes at each of COPIES such steps.
    """
    errors = {
        init: [_delay_error(diagonal.by_name(init, 32), seed) for seed in seeds]
        for init in ("legs", "lin", "inv", "rand", "real")
    }
    mean = {k: sum(v) / len(v) for k, v in errors.items()}
    holds = max(mean[k] for k in ("legs", "lin", "inv")) < min(mean["rand"], mean["real"])
    label = f"log10 of the relative MSE, lag {LAG:,} of {LENGTH:,}"
    rows = [Row(f"{k}: {label}", "-", spread(v)) for k, v in errors.items()]
    return [*rows, Row("LegS, Lin, Inv all below Rand and Real", "yes", yes_no(holds), holds)]


def _delay_error(modes: Modes, seed: int) -> float:
    """log10 of the error of the best readout on signals that it was not fitted to."""
    u, y = delay(n=16, length=LENGTH, lag=LAG, seed=seed)
    h = np.concatenate([_states(modes, dt, u) for dt in np.geomspace(1e-3, 1e-1, COPIES)], -1)
    design, target = h[:8, LAG:].reshape(-1, h.shape[-1]), y[:8, LAG:].reshape(-1)
    C = np.linalg.lstsq(design, target, rcond=1e-10)[0]
    residual = h[8:, LAG:] @ C - y[8:, LAG:, 0]
    return float(np.log10(np.mean(residual**2) / np.mean(y[8:, LAG:] ** 2)))


def _states(modes: Modes, dt: float, u: np.ndarray) -> np.ndarray:
    """Real states (n, length, 2k) of k modes at one step size, driven by u (n, length, 1)."""
    steps = torch.full((1, 1), dt, dtype=torch.float64)
    system = first_coordinate(modes).discretize(discretize.zoh, steps)
    assert isinstance(system.A, Diagonal)
    poles, gains = system.A.values[0].numpy(), system.B[0].numpy()
    each = [lfilter([b], [1, -a], u[..., 0]) for a, b in zip(poles, gains, strict=True)]
    return np.stack(each, -1).view(np.float64)


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
        Claim(
            "initialisation-memory",
            "states of structured initialisations keep a long, finely resolved past better than "
            "those of random and real ones",
            memory,
            20,
        ),
    ),
)
