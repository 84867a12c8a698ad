"""Pictures: they show what was computed, need no display, and say what they cannot show."""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from torch import nn

from resolvent import plots
from resolvent.analysis import (
    eigenvalues,
    impulse_response,
    kernel,
    memory_length,
    pseudospectrum,
    transfer_function,
)
from resolvent.initialize import hippo
from resolvent.layers import INVARIANT, Bidirectional
from resolvent.model import ModelConfig, build_model
from resolvent.plots.figures import channel, typical
from resolvent.structure import Dense, Diagonal
from resolvent.system import Continuous, Invariant


def small(name):
    return INVARIANT[name](d_model=3, d_state=4)


def points(axes):
    """Coordinates of the first scatter on a pair of axes, as complex numbers in order."""
    x, y = np.asarray(axes.collections[0].get_offsets()).T
    return np.sort_complex(np.round(x + 1j * y, 10))


def in_order(values):
    return np.sort_complex(np.round(values.detach().flatten().numpy(), 10))


def born_discrete():
    one = torch.ones(1, 2, dtype=torch.float64)
    return Invariant.of(Diagonal(one * 0.5), one, one, one[:, :1])


def test_spectrum_shows_the_eigenvalues_before_and_after_discretisation():
    layer = small("S4D").double()
    left, right = plots.spectrum(layer).axes
    system = layer.system()
    np.testing.assert_allclose(points(left), in_order(eigenvalues(system.transition.continuous.A)))
    np.testing.assert_allclose(points(right), in_order(eigenvalues(system.A)))
    (only,) = plots.spectrum(layer.continuous()).axes
    assert "Continuous" in only.get_title("left")
    (only,) = plots.spectrum(born_discrete()).axes
    assert "Discrete" in only.get_title("left")


def test_impulse_responses_are_the_kernels_of_the_features_asked_for():
    layer = small("S4D").double()
    figure = plots.impulse_responses(layer, features=[2, 0])
    for axes, feature in zip(figure.axes, (2, 0), strict=True):
        drawn = axes.lines[1].get_ydata()
        K = kernel(layer.system(), len(drawn)).detach()
        np.testing.assert_allclose(drawn, K[feature], atol=1e-12)
        assert f"Feature {feature}" in axes.get_title("left")


@pytest.mark.parametrize("name", INVARIANT)
def test_a_channel_is_one_feature_to_itself(name):
    system = small(name).double().system()
    K = impulse_response(channel(system, 2), 20).detach()[0]
    expected = kernel(system, 20).detach()
    torch.testing.assert_close(K, expected[0, 2, 2] if system.mimo else expected[2])


def test_typical_features_are_of_shortest_median_and_longest_memory():
    assert typical(torch.tensor([5.0, 1.0, torch.inf, 3.0, 4.0])) == [1, 4, 2]
    assert typical(torch.tensor([[7.0]])) == [0]


def test_memory_counts_every_feature():
    layer = small("S5")
    (axes,) = plots.memory(layer, 0.9).axes
    assert sum(bar.get_height() for bar in axes.patches) == memory_length(layer.system()).numel()
    assert "90 %" in axes.get_title("left")


def test_memory_without_end_is_said():
    one = torch.ones(2, 1, dtype=torch.float64)
    system = Invariant.of(Diagonal(torch.tensor([[1.0], [0.5]])), one, one, one)
    (axes,) = plots.memory(system).axes
    assert "1 of 2 endless" in axes.get_title("left")
    title = plots.impulse_responses(system, [0]).axes[0].get_title("left")
    assert "without end" in title


def test_pseudospectrum_takes_a_matrix_a_structure_or_a_result():
    A = hippo.legs(6).A
    computed = pseudospectrum(A, points=9)
    for subject in (A, Dense(torch.from_numpy(A)), computed):
        axes = plots.pseudospectrum(subject, title="LegS").axes[0]
        assert axes.get_title("left") == "LegS"
        dots = np.asarray(axes.collections[-1].get_offsets())
        np.testing.assert_allclose(np.sort(dots[:, 0]), np.arange(-6, 0), atol=1e-8)


def test_transfer_draws_gains_of_continuous_and_discrete_systems():
    layer = small("S4").double()
    systems = {"continuous": layer.continuous(), "discrete": layer.system()}
    omega = torch.tensor([0.1, 1.0, 3.0])
    (axes,) = plots.transfer(systems, omega, head=1).axes
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["continuous", "discrete"]
    for line, point in zip(axes.lines, (1j * omega, torch.exp(1j * omega)), strict=True):
        expected = transfer_function(systems[line.get_label()], point)[1].abs().detach()
        np.testing.assert_allclose(line.get_ydata(), expected, rtol=1e-6)
    with pytest.raises(ValueError, match="dense B and C"):
        plots.transfer({"S5": small("S5").system()}, omega)


def test_timescales_count_step_sizes():
    (axes,) = plots.timescales(small("S5")).axes
    assert sum(bar.get_height() for bar in axes.patches) == 2  # one a stored mode
    with pytest.raises(ValueError, match="no step size"):
        plots.timescales(born_discrete())


def test_curves():
    (axes,) = plots.curves([1, 10], {"a": [2, 3], "b": [4, 5]}, ("x", "y"), "t", "xy").axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert [list(line.get_ydata()) for line in axes.lines] == [[2, 3], [4, 5]]


def test_subjects_that_do_not_fit_are_refused():
    with pytest.raises(TypeError, match="time-invariant"):
        plots.spectrum(nn.Linear(2, 2))
    with pytest.raises(TypeError, match="discretize"):
        plots.memory(small("S4D").continuous())


def test_every_layer_of_a_model_is_found_and_described():
    model = nn.ModuleDict({name: small(name) for name in INVARIANT})
    model["both"] = Bidirectional(small("S4D"), small("S4D"))
    pictures = plots.inspect_model(model)
    titles = [picture.title for picture in pictures]
    assert {f"{name} ({name})" for name in INVARIANT} <= set(titles)
    assert "both.backward_layer (S4D)" in titles
    assert [t for t in titles if "matrix" in t] == [
        f"{name} ({name}): matrix of the first head" for name in ("S4", "LSSL")
    ]
    text = pictures[0].text
    radius = float(eigenvalues(model["S4D"].system().A).abs().max().detach())
    assert "3, 4 real states a feature" in text and "1 (diagonal)" in text
    assert f"largest |eigenvalue|  {radius:.5f}" in text[: text.index("eigenvector")]
    assert plots.inspect_model(nn.Linear(2, 2)) == []


@pytest.mark.parametrize("layer", ["Mamba", "DeltaProduct", "LSTM", "Aaren"])
def test_a_layer_that_depends_on_its_input_is_drawn_on_one(layer):
    model = build_model(ModelConfig(layer, {}, d_model=4, n_layers=2), d_input=2, n_outputs=3)
    pictures = plots.inspect_dynamics(model.eval(), torch.randn(1, 100, 2))
    assert [p.title for p in pictures] == [
        f"backbone.blocks.{i}.layer ({layer}) on an input" for i in range(2)
    ]
    assert "negative real part" in pictures[0].text and "of 64 steps" in pictures[0].text
    assert plots.to_svg(pictures[0].figure).startswith("<svg")


def test_a_layer_that_does_not_is_left_out():
    assert plots.inspect_dynamics(small("S4D"), torch.randn(1, 9, 3)) == []


def test_inspection_survives_a_layer_that_does_not_decay():
    layer = small("S4D")
    with torch.no_grad():
        layer.log_decay.fill_(-200.0)
    (picture,) = plots.inspect_model(layer)
    assert "does not decay" in picture.text and "∞ steps" in picture.text
    assert plots.to_svg(picture.figure).startswith("<svg")


def test_a_picture_is_the_same_every_time_and_leaves_no_style_behind():
    before = dict(matplotlib.rcParams)
    texts = [plots.to_svg(plots.memory(born_discrete())) for _ in range(2)]
    assert texts[0] == texts[1]
    assert ElementTree.fromstring(texts[0]).tag.endswith("svg")
    assert dict(matplotlib.rcParams) == before


def test_no_window_is_opened():
    pyplot_was_there = "matplotlib.pyplot" in sys.modules
    plots.spectrum(Continuous(Diagonal(torch.tensor([[-1.0]])), *(torch.ones(1, 1),) * 3))
    assert ("matplotlib.pyplot" in sys.modules) == pyplot_was_there


def test_the_page_of_pictures_makes_every_picture_that_it_shows():
    page = (Path(__file__).parents[1] / "docs" / "theory" / "pictures.md").read_text()
    shown = re.findall(r"\(\.\./assets/pictures/(.+?)\)", page)
    assert shown == re.findall(r'savefig\("(.+?)"\)', page)
