import numpy as np
import torch

from resolvent.structure import Scalar
from structure.suite import StructureSuite


class TestScalar(StructureSuite):
    structure = Scalar

    def make(self, rng, lead, n):
        return Scalar(torch.randn(*lead, generator=rng).double() * 0.6, n)

    def twin(self, A):
        return A.value.detach().numpy()[..., None, None] * np.eye(A.size)
