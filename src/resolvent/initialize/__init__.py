"""Where a state-space model starts: HiPPO, diagonal and PTD initialisations, step sizes.

    hippo      real systems (A, B) with their low-rank part: legs, legt, lagt, fout
    modes      eigen-coordinates of a real system, one of each conjugate pair
    diagonal   S4D's, DSS's and the LRU's eigenvalues, as modes
    ptd        perturb-then-diagonalise: LegS made diagonal with a uniform error bound
    timescale  step sizes

NumPy in float64 throughout: an initialisation is computed once, a layer casts the result.
"""

from resolvent.initialize import diagonal, hippo, modes, ptd, timescale

__all__ = ["diagonal", "hippo", "modes", "ptd", "timescale"]
