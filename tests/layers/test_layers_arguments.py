"""What a layer is given is checked where it enters, and the message names the layer's argument."""

from __future__ import annotations

import pytest
import torch

from resolvent.layers import DSS, INVARIANT, LRU, LSSL, S4, S4D, S5, load_state

ONE = torch.zeros(1, 3, 2)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        *(
            (lambda layer=layer: layer(2, d_state=0), ValueError, "d_state: must be a positive")
            for layer in INVARIANT.values()
        ),
        *(
            (lambda layer=layer: layer(2, execution="fft"), ValueError, "execution: 'fft' is unk")
            for layer in INVARIANT.values()
        ),
        *(
            (lambda layer=layer: layer(2, init="leg"), ValueError, "init: 'leg' is unknown; choose")
            for layer in (S4, S4D, S5, DSS, LSSL)
        ),
        *(
            (lambda layer=layer: layer(2, init=3), TypeError, "init: expected a name, a .* got int")
            for layer in (S4, S4D, S5, DSS, LSSL)
        ),
        (lambda: S4D(1, init=("legs", "lin")), ValueError, "init: got 2 initialisations, expected"),
        (lambda: S5(8, init=("legs", "lin")), ValueError, "init: got 2 initialisations, expected"),
        (lambda: S4(2, init=()), ValueError, "init: got 0 initialisations"),
        (lambda: S5(2, blocks=0), ValueError, "blocks: must divide d_state = 64, got 0"),
        (lambda: LRU(0), ValueError, "d_model: must be a positive integer, got 0"),
        (lambda: S4D(2)(ONE.long()), ValueError, "u: expected floating-point numbers, got torch.i"),
        (lambda: S4D(2)(ONE[0]), ValueError, r"u: expected \(batch, length, 2\)"),
        (lambda: S4D(2)(ONE, dt=torch.zeros(1, 3)), ValueError, "dt: expected positive, .* 0 to 0"),
        (lambda: S4D(2)(ONE, lengths=torch.tensor([4])), ValueError, r"lengths: must lie in 0..3"),
    ],
)
def test_impossible_arguments_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_lengths_of_any_integer_type():
    layer, u = S4D(2, d_state=4), torch.randn(2, 5, 2)
    expected = layer(u, lengths=torch.tensor([5, 2]))
    found = layer(u, lengths=torch.tensor([5, 2], dtype=torch.uint8))
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_a_damaged_state_file_is_a_value_error(tmp_path):
    (tmp_path / "state").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="not a safetensors file"):
        load_state(tmp_path / "state", S4D(2, d_state=4).initial_state(1))


@pytest.mark.parametrize("layer", INVARIANT.values())
def test_under_autocast_a_layer_alone_computes_the_same(layer):
    layer, u = layer(4, d_state=16), torch.randn(2, 80, 4)
    with torch.no_grad():
        expected, kernel = layer(u)[0], layer.kernel(40)
        with torch.autocast("cpu", torch.bfloat16):
            torch.testing.assert_close(layer(u)[0], expected, rtol=0, atol=0)
            torch.testing.assert_close(layer.kernel(40), kernel, rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_parameters_in_half_precision_are_refused(dtype):
    layer = S4D(2, d_state=4).to(dtype)
    with pytest.raises(TypeError, match="S4D: expected parameters in float32 or float64, got"):
        layer(ONE.to(dtype))
