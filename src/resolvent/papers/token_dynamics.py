"""Token dynamics: with depth as time, tokens of a selective model converge to 0 or diverge."""

from __future__ import annotations

import math
import sysconfig
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from resolvent.analysis import token_dynamics
from resolvent.data.tasks import TokenTask
from resolvent.data.tokens import LabelledTokens
from resolvent.layers import Mamba, OrientedMamba
from resolvent.model import LanguageConfig
from resolvent.papers.base import Claim, Paper, Row, spread
from resolvent.papers.tokens import BATCH, trained

LARGE = 1e4
"""Size from which on a token counts as diverged."""
HELD_OUT = 20
"""One in so many files of the text is only tested on."""
WINDOW, STEPS = 96, 250


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
        bits[dynamics] = [_bits_per_byte(config, seed) for seed in seeds]
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


def _bits_per_byte(config: LanguageConfig, seed: int) -> float:
    x, y, _ = _windows(BATCH * STEPS, 2 * seed, learned=True)
    model = trained(config, LabelledTokens(x, y), seed)
    x, y = (torch.from_numpy(v) for v in _windows(512, 2 * seed + 1, learned=False)[:2])
    with torch.no_grad():
        loss = cross_entropy(model(x)[0].mT, y)
    return float(loss) / math.log(2)


def _windows(n: int, seed: int, learned: bool) -> TokenTask:
    """Windows at random places of the text, or of the part that is tested on."""
    text = _text()[0 if learned else 1]
    start = np.random.default_rng(seed).integers(0, len(text) - WINDOW - 1, n)
    both = text[start[:, None] + np.arange(WINDOW + 1)].astype(np.int64)
    return TokenTask(both[:, :-1], both[:, 1:], 256)


@cache
def _text() -> tuple[np.ndarray, np.ndarray]:
    """The top-level modules of Python's own library: bytes to learn from, and to test on."""
    files = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    parts = [[], []]
    for index, file in enumerate(files):
        parts[index % HELD_OUT == 0].append(file.read_bytes())
    learned, tested = (np.frombuffer(b"".join(x), np.uint8) for x in parts)
    return learned, tested


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
