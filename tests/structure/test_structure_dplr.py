import numpy as np
import torch

from oracle import real_dplr
from resolvent.structure import DPLR
from structure.suite import StructureSuite


class DPLRSuite(StructureSuite):
    structure = DPLR
    rank = 1

    def make(self, rng, lead, n):
        values = torch.randn(*lead, n, generator=rng, dtype=torch.complex128) * 0.6
        P, Q = (
            torch.randn(*lead, n, self.rank, generator=rng, dtype=torch.complex128) * 0.3
            for _ in range(2)
        )
        return DPLR(values, P, Q)

    def twin(self, A):
        values, P, Q = np.broadcast_arrays(
            A.values.detach().numpy()[..., None], *(x.detach().numpy() for x in (A.P, A.Q))
        )
        lead = values.shape[:-2]
        flat = [real_dplr(values[i][:, 0], P[i], Q[i]) for i in np.ndindex(lead)]
        return np.array(flat).reshape(*lead, *flat[0].shape)


class TestRankOne(DPLRSuite):
    pass


class TestRankTwo(DPLRSuite):
    rank = 2


def test_dissipative_matrices_have_no_growing_mode(rng):
    # Lambda in the left half-plane and Q = P: the symmetric part is Re Lambda - P P*
    values = torch.complex(
        -torch.rand(4, 6, generator=rng).double(), torch.randn(4, 6, generator=rng).double()
    )
    P = torch.randn(4, 6, 1, generator=rng, dtype=torch.complex128)
    A = DPLR(values, P, P).dense().numpy()
    assert np.linalg.eigvals(A).real.max() <= 1e-12
