import torch

from resolvent.structure import Dense
from structure.suite import StructureSuite


class TestDense(StructureSuite):
    structure = Dense

    def make(self, rng, lead, n):
        return Dense(torch.randn(*lead, n, n, generator=rng).double() * n**-0.5)

    def twin(self, A):
        return A.values.detach().numpy()
