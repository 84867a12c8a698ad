"""Layers named on a command line, and what is said when the name is wrong."""

import pytest
from torch import nn

from resolvent.contract import load_layer

SOURCE = """
from dataclasses import dataclass
import torch
from neighbour import WIDTH

@dataclass
class Settings:
    gain: float = 1.0

class Gain(torch.nn.Module):
    def __init__(self, d_model, gain=1.0):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.full((d_model,), gain))

def build(d_model):
    return Gain(d_model, WIDTH)

def nothing(d_model):
    return d_model

constant = 3
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "neighbour.py").write_text("WIDTH = 2.0\n")
    path = tmp_path / "my_layer.py"
    path.write_text(SOURCE)
    return path


def test_a_class_in_a_file(file):
    layer = load_layer(f"{file}:Gain")(3)
    assert isinstance(layer, nn.Module) and layer.weight.tolist() == [1.0] * 3


def test_settings_go_to_the_class(file):
    assert load_layer(f"{file}:Gain", {"gain": 4.0})(2).weight.tolist() == [4.0] * 2


def test_a_function_in_a_file(file):
    assert load_layer(f"{file}:build")(2).weight.tolist() == [2.0] * 2


def test_a_class_of_a_package():
    assert type(load_layer("resolvent.layers:S4D", {"d_state": 4})(2)).__name__ == "S4D"


@pytest.mark.parametrize("target", ["", "file.py", "file.py:", ":Class", "file.py:not a name"])
def test_a_target_needs_a_file_and_a_name(target):
    with pytest.raises(ValueError, match="target: expected 'path/to/file.py:Class'"):
        load_layer(target)


def test_unknown_names_list_the_layers(file):
    with pytest.raises(ValueError, match="has no 'Gian'; its layers are: Gain"):
        load_layer(f"{file}:Gian")


def test_what_cannot_be_called(file):
    with pytest.raises(ValueError, match="'constant' is int, expected a class or function"):
        load_layer(f"{file}:constant")


def test_what_builds_no_module(file):
    with pytest.raises(TypeError, match="nothing must build a torch.nn.Module, got int"):
        load_layer(f"{file}:nothing")(3)


def test_missing_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        load_layer(f"{tmp_path}/absent.py:Layer")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def f(:", "SyntaxError"),
        ("import no_such_module", "no_such_module"),
        ("1 / 0", "division"),
    ],
)
def test_files_that_do_not_import(tmp_path, source, message):
    path = tmp_path / "broken.py"
    path.write_text(source)
    with pytest.raises(ImportError, match=message):
        load_layer(f"{path}:Layer")


def test_packages_that_do_not_import():
    with pytest.raises(ImportError, match="no_such_package"):
        load_layer("no_such_package.module:Layer")
