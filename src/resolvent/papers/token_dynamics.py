"""Token dynamics: with depth as time, tokens of a selective model converge to 0 or diverge."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from resolvent.analysis import token_dynamics
from resolvent.layers import Mamba, OrientedMamba
from resolvent.model import LanguageConfig
from resolvent.papers.base import Claim, Paper, Row, spread
from resolvent.papers.text import bits_per_byte

LARGE = 1e4
"""Size from which on a token counts as diverged."""


def flow(x: np.ndarray, mu: float, delta: float, depth: float) -> tuple[float, np.ndarray]:
    """Integrate the tokens x (l,) of one channel, S_C S_B = mu, S_Delta = delta, decay rate 1.

    Returns:
        The depth reached, that of divergence if it came first, and the tokens there.
    """
    from scipy.integrate import solve_ivp

    def velocity(_: float, x: np.ndarray) -> np.ndarray:
        dt = np.logaddexp(0, delta * x)
        total = np.cumsum(dt)
        decay = np.tril(np.exp(np.minimum(total[None] - total[:, None], 0)))
        return mu * x * (decay * (dt * x * x)).sum(1)

    def diverged(_: float, x: np.ndarray) -> float:
        return LARGE - np.abs(x).max()

    diverged.terminal = True  # type: ignore[attr-defined]
    end = solve_ivp(velocity, (0, depth), x, "LSODA", events=diverged, rtol=1e-8, atol=1e-10)
    return float(end.t[-1]), end.y[:, -1]


def dichotomy(seeds: Sequence[int]) -> list[Row]:
    """Six positive tokens of one channel, for both signs of S_C S_B and of S_Delta."""
    starts = [np.random.default_rng(seed).uniform(0.5, 1.5, 6) for seed in seeds]
    rows = []
    for delta in (1.0, -1.0):
        left = [float(np.abs(flow(x, -1.0, delta, 1e5)[1]).max()) for x in starts]
        rows.append(
            Row(
                f"S_C S_B < 0, S_Δ = {delta:+.0f}: largest token at depth 10^5",
                "→ 0",
                spread(left, ".2g"),
                max(left) < 0.02,
            )
        )
    depths = [flow(x, 1.0, 1.0, 100)[0] for x in starts]
    rows.append(
        Row(
            f"S_C S_B > 0, S_Δ > 0: depth at which a token exceeds {LARGE:.0e}",
            "finite",
            spread(depths),
            max(depths) < 100,
        )
    )
    late = [[flow(x[:1], 1.0, -1.0, depth)[1].max() for depth in (1e5, 1e7)] for x in starts]
    steps = [float(after - before) / math.log(100) for before, after in late]
    rows.append(
        Row(
            "S_C S_B > 0, S_Δ < 0: growth of a token per unit of log depth",
            "logarithmic: → 1",
            spread(steps),
            all(0.8 < x < 2 for x in steps),
        )
    )
    return rows


def scenarios(seeds: Sequence[int]) -> list[Row]:
    """Layers by their scenario on a text: bits per byte of two layers of 32 features."""
    bits, rows = {}, []
    for dynamics in ("positive", "mixed", "negative"):
        config = LanguageConfig(
            256, 32, 2, ("OrientedMamba",), layer_options={"OrientedMamba": {"dynamics": dynamics}}
        )
        bits[dynamics] = [bits_per_byte(config, seed) for seed in seeds]
        rows.append(Row(f"{dynamics}: bits per byte", "-", spread(bits[dynamics], ".4g")))
    better = [n - p for n, p in zip(bits["negative"], bits["positive"], strict=True)]
    holds = min(better) > 0
    rows.append(Row("negative minus positive, seed by seed", "> 0", spread(better), holds))
    return rows


def criterion(seeds: Sequence[int]) -> list[Row]:
    """The scenario of new layers: free maps are divergent, negative ones are not."""
    rows = []
    for name, make, expected in (
        ("free", lambda: Mamba(32), True),
        ("positive", lambda: OrientedMamba(32), True),
        ("negative", lambda: OrientedMamba(32, dynamics="negative"), False),
    ):
        found = []
        for seed in seeds:
            torch.manual_seed(seed)
            found.append(token_dynamics(*make().selection_maps()))
        share = [float((x.eigenvalues > 1e-9).double().sum()) for x in found]
        holds = all(x.divergent == expected for x in found)
        rows.append(
            Row(
                f"{name}: positive eigenvalues of 16 states",
                "diverges" if expected else "converges: 0",
                spread(share),
                holds,
            )
        )
    return rows


PAPER = Paper(
    name="TokenDynamics",
    title="Demystifying the Token Dynamics of Deep Selective State Space Models",
    authors="Thieu N Vo, Duy-Tung Pham, Xin T. Tong, Tan Minh Nguyen",
    year=2025,
    venue="International Conference on Learning Representations",
    choices="as Mamba, B = E P x and C = P x with P triangular and E of given signs",
    layer=OrientedMamba,
    claims=(
        Claim(
            "token-scenarios",
            "tokens of one channel converge to 0 if S_C S_B < 0; else they diverge, in finite "
            "depth or logarithmically by the sign of S_Δ",
            dichotomy,
            10,
        ),
        Claim(
            "token-criterion",
            "the sign of the eigenvalues of S_C^T S_B tells the scenario of a layer; free maps "
            "start in the divergent one",
            criterion,
            2,
        ),
        Claim(
            "convergent-is-worse",
            "a language model whose tokens converge is worse than one whose tokens diverge",
            scenarios,
            200,
        ),
    ),
)
