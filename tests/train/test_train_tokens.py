"""Labels of token sequences, ranks of items, and what layers charge for a step."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from resolvent.data.interactions import leave_last_out, two_threads
from resolvent.data.tasks import IGNORED
from resolvent.data.tokens import LabelledTokens, make_token_loader
from resolvent.layers.mixer import take_costs
from resolvent.layers.universal import PONDER
from resolvent.model import LanguageConfig, LanguageModel
from resolvent.train import (
    ItemLearner,
    NextItem,
    TokenLabels,
    TokenLearner,
    TrainConfig,
    evaluate,
    fit,
    ranking_metrics,
    seed_all,
)


def test_only_what_is_asked_counts():
    y = torch.tensor([[IGNORED, 1, 0], [IGNORED, IGNORED, 2]])
    output = torch.zeros(2, 3, 4)
    output[0, 1, 1] = output[0, 2, 3] = output[1, 2, 2] = 9.0
    task = TokenLabels()
    assert task.count(y) == 3
    assert task.metrics(output, y) == {"accuracy": pytest.approx(2 / 3)}
    expected = -output.log_softmax(-1)[[0, 0, 1], [1, 2, 2], [1, 0, 2]].sum()
    torch.testing.assert_close(task.loss(output, y), expected)


def test_a_source_gives_every_sequence_once_padded():
    x = [np.arange(1, size + 1) for size in (3, 5, 2, 4, 5)]
    batches = list(make_token_loader(LabelledTokens(x, [row + 1 for row in x]), 2))
    index = torch.cat([batch.index for batch in batches])
    assert sorted(index.tolist()) == list(range(5))
    for batch in batches:
        for row, label, size, place in zip(
            batch.x, batch.y, batch.lengths, batch.index, strict=True
        ):
            assert row[:size].tolist() == x[place].tolist() and (row[size:] == 0).all()
            assert label[:size].tolist() == (x[place] + 1).tolist()
            assert (label[size:] == IGNORED).all()
    with pytest.raises(ValueError, match="y: expected labels of 5 sequences, got 4"):
        LabelledTokens(x, x[:4])


def test_ranks_of_items():
    scores = np.array([[3.0, 2.0, 1.0, 0.0], [1.0, 1.0, 1.0, 0.0], [0.0] * 4])
    found = ranking_metrics(scores, np.array([1, 0, 3]))
    ranks = np.array([2.0, 2.0, 2.5])  # equal scores: the middle of their places
    assert found["mrr"] == pytest.approx((1 / ranks).mean()) and found["hit@10"] == 1
    assert found["ndcg@10"] == pytest.approx((1 / np.log2(1 + ranks)).mean())
    far = ranking_metrics(np.arange(20.0)[None], np.array([9]))
    assert far == {"hit@10": 0.0, "ndcg@10": 0.0, "mrr": pytest.approx(1 / 11)}


def test_items_are_scored_after_the_last_one():
    torch.manual_seed(0)
    learner = ItemLearner(LanguageModel(LanguageConfig(9, 8, 1, ("Attention",)))).eval()
    x, lengths = torch.randint(0, 9, (3, 6)), torch.tensor([6, 2, 4])
    scores = learner(x, lengths=lengths)
    for row, size in enumerate(lengths.tolist()):
        alone = learner.model(x[row : row + 1, :size])[0][0, -1]
        torch.testing.assert_close(scores[row], alone, atol=1e-5, rtol=1e-5)
    assert learner.train()(x, lengths=lengths).shape == (3, 6, 9)


def test_next_items_are_learned_on_the_training_path():
    """An item follows the one before last: a model that learns it is far from chance."""
    seed_all(0)
    parts = leave_last_out(two_threads(120, 10, items=6, noise=0.0))
    train, valid, test = (
        make_token_loader(LabelledTokens(*p), 40, shuffle=i == 0) for i, p in enumerate(parts)
    )
    layers = {"layers": ("Attention", "MLP"), "n_layers": 4, "tied": False}
    learner = ItemLearner(LanguageModel(LanguageConfig(6, 16, **layers)))
    result = fit(learner, train, valid, NextItem(), TrainConfig(epochs=25, lr=1e-2), quiet=True)
    assert result.best["valid_mrr"] > 0.8  # by chance 0.41
    assert evaluate(learner, test, NextItem())["mrr"] > 0.8


class Recorded(TokenLabels):
    """Whose loss tells nothing, so that what moves the weights is what layers charge."""

    def loss(self, output, y):
        return 0 * output.sum()


def test_depth_is_paid_for_once():
    torch.manual_seed(0)
    options = {"UniversalTransformer": {"repeats": 3, "expand": 1}}
    config = LanguageConfig(5, 8, 1, ("UniversalTransformer",), options)
    learner = TokenLearner(LanguageModel(config))
    x = torch.randint(0, 5, (4, 6))
    learner(x, lengths=torch.tensor([6, 3, 1, 0]))
    cost = take_costs(learner)
    assert PONDER * 1 < cost.item() < PONDER * 4 and take_costs(learner) == 0
    halt = learner.model.blocks[0].layer.halt
    before = halt.bias.item()
    source = make_token_loader(LabelledTokens(x.numpy(), x.numpy()), 4)
    config = TrainConfig(steps=3, lr=1e-2, weight_decay=0.0)
    fit(learner, source, None, Recorded(), config, quiet=True)
    assert halt.bias.item() > before  # to halt sooner is cheaper
    learner.eval()(x)
    assert take_costs(learner) == 0  # nothing is charged outside training


def test_the_loss_of_both_shapes_is_the_same():
    logits, y = torch.randn(4, 7), torch.tensor([1, 2, IGNORED, 0])
    expected = cross_entropy(logits[[0, 1, 3]], y[[0, 1, 3]], reduction="sum")
    torch.testing.assert_close(NextItem().loss(logits, y), expected)
    torch.testing.assert_close(NextItem().loss(logits[None], y[None]), expected)
