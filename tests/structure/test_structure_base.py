import importlib
import pkgutil

import pytest
import torch

from resolvent import structure
from resolvent.structure import Diagonal, Structure
from structure.suite import StructureSuite


def all_subclasses(cls):
    return {x for sub in cls.__subclasses__() for x in {sub, *all_subclasses(sub)}}


def test_every_structure_has_a_suite():
    for module in pkgutil.iter_modules(structure.__path__):
        importlib.import_module(f"resolvent.structure.{module.name}")
    own = {x for x in all_subclasses(Structure) if x.__module__.startswith("resolvent.")}
    for name in own:
        importlib.import_module(f"structure.test_structure_{name.__name__.lower()}")
    covered = {getattr(suite, "structure", None) for suite in all_subclasses(StructureSuite)}
    assert own <= covered


@pytest.mark.parametrize("dim", [-1, -2])
def test_real_coordinates_are_undone(rng, dim):
    z = torch.randn(3, 4, 6, generator=rng, dtype=torch.complex128)
    assert torch.equal(structure.from_real(structure.to_real(z, dim), dim, z.dtype), z)
    x = z.real
    assert structure.to_real(x, dim) is x


def test_functional_in_real_coordinates(rng):
    c, h = (torch.randn(5, generator=rng, dtype=torch.complex128) for _ in range(2))
    found = structure.functional_to_real(c, -1) @ structure.to_real(h, -1)
    torch.testing.assert_close(found, 2 * (c @ h).real)


@pytest.mark.parametrize("function", ["exponential", "phi1"])
def test_functions_refuse_unknown_structures(function):
    class Unknown(Diagonal.__mro__[1]):
        n, dtype = 1, torch.float64
        apply = adjoint = affine = dense = None

    with pytest.raises(TypeError, match="Unknown"):
        getattr(structure, function)(Unknown())
