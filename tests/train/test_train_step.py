"""The gradient of a step is that of the batch's mean loss, however it is divided."""

from dataclasses import replace

import pytest
import torch
from accelerate import Accelerator
from torch import nn

from resolvent.train import Classification, NonFiniteError, Regression, fit
from resolvent.train.interrupt import StopRequest
from resolvent.train.step import Stepper
from train.toy_training import CONFIG, Toy, make_source


def first_batch():
    batch = next(iter(make_source()))
    return batch._replace(x=batch.x.double())


def stepper(model, task=None, **changes):
    config = replace(CONFIG, **changes)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    return Stepper(model, optimizer, task or Classification(), config, Accelerator())


@pytest.mark.parametrize("parts", [1, 3, 8, 40])
def test_accumulation_equals_the_whole_batch(parts):
    batch, model, whole = first_batch(), Toy(0.0).double(), Toy(0.0).double()
    loss = nn.functional.cross_entropy(whole(batch.x, batch.lengths), batch.y)
    loss.backward()
    take = stepper(model, accumulation=parts, grad_clip=None)
    total, count, stopping = take(batch, step=0, stop=StopRequest())
    assert (count, stopping) == (8, False)
    assert total / count == pytest.approx(loss.item(), rel=1e-12)
    for mine, yours in zip(model.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(mine, yours - yours.grad, rtol=0, atol=1e-13)  # float64 sums


def test_clipping_bounds_the_whole_gradient():
    batch, model = first_batch(), Toy(0.0).double()
    stepper(model, grad_clip=1e-3)(batch, step=0, stop=StopRequest())
    norm = torch.cat([p.grad.flatten() for p in model.parameters()]).norm().item()
    assert norm == pytest.approx(1e-3, rel=1e-2)  # torch adds 1e-6 to the norm it divides by


def test_dropout_is_a_function_of_the_step():
    batch, losses = first_batch(), []
    for step, noise in ((4, 0), (4, 1), (5, 0)):
        torch.manual_seed(noise)
        losses.append(stepper(Toy(0.5).double())(batch, step, StopRequest())[0])
    assert losses[0] == losses[1] != losses[2]


def test_bf16_runs_the_model_and_keeps_float32_weights(tmp_path):
    seen = []

    class Recording(Toy):
        def forward(self, x, lengths):
            output = super().forward(x, lengths)
            seen.append((self.training, output.dtype))
            return output

    model = Recording(0.0)
    config = replace(CONFIG, precision="bf16")
    result = fit(
        model, make_source(), make_source(seed=2), Classification(), config, tmp_path, quiet=True
    )
    assert set(seen) == {(True, torch.bfloat16), (False, torch.float32)}
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert result.best["valid_accuracy"] > 0.6  # chance is a third


@pytest.mark.parametrize("where", ["input", "gradient"])
def test_non_finite_names_step_tensors_and_rows(where):
    class Exploding(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, grad):
            return grad * torch.inf

    class Model(Toy):
        def forward(self, x, lengths):
            output = super().forward(x, lengths)
            return Exploding.apply(output) if where == "gradient" else output

    batch, model = first_batch(), Model(0.0).double()
    if where == "input":
        batch.x[2, 0, 0] = torch.nan
    before = {name: value.clone() for name, value in model.state_dict().items()}
    row = batch.index[0].item()
    with pytest.raises(
        NonFiniteError, match=rf"(?s)step 17.*weight inf.*batch:  {row}, .*lower lr"
    ):
        stepper(model)(batch, step=17, stop=StopRequest())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_regression_loss_and_shapes():
    y, output = torch.tensor([[1.0, 2.0], [3.0, 5.0]]), torch.zeros(2, 2)
    assert Regression().loss(output, y).item() == pytest.approx((1 + 4 + 9 + 25) / 2)
    assert Regression("absolute").loss(output[:, 0], y[:, 0]).item() == pytest.approx(4)
    assert Regression("huber").loss(output[:, 0], y[:, 0]).item() == pytest.approx(0.5 + 2.5)
    with pytest.raises(ValueError, match=r"output has shape \(2, 2\) but y has \(2,\)"):
        Regression().loss(output, y[:, 0])
