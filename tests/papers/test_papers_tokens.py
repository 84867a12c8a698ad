"""The experiment that claims about tokens share, and the claims that take no training."""

import pytest
import torch

from resolvent.data.tasks import IGNORED, induction_heads
from resolvent.model import LanguageConfig
from resolvent.papers import longconv, mamba2
from resolvent.papers.tokens import Labelling, accuracy, score, source


def test_only_what_is_asked_counts():
    y = torch.tensor([[IGNORED, 1, 0], [IGNORED, IGNORED, 2]])
    output = torch.zeros(2, 3, 4)
    output[0, 1, 1] = output[0, 2, 3] = output[1, 2, 2] = 9.0
    task = Labelling()
    assert task.count(y) == 3
    assert task.metrics(output, y) == {"accuracy": pytest.approx(2 / 3)}
    expected = -output.log_softmax(-1)[[0, 0, 1], [1, 2, 2], [1, 0, 2]].sum()
    torch.testing.assert_close(task.loss(output, y), expected)


def test_a_source_gives_every_sequence_once():
    task = induction_heads(10, 6, 4)
    batches = list(source(task, 4))
    index = torch.cat([batch.index for batch in batches])
    assert sorted(index.tolist()) == list(range(10))
    x = torch.cat([batch.x for batch in batches])[index.argsort()]
    assert x.tolist() == task.x.tolist()


def test_a_short_training_follows_its_seed():
    config = LanguageConfig(5, 8, 1, layers=("Mamba",))

    def draw(n, seed):
        return induction_heads(n, 6, 4, seed)

    first, model = accuracy(config, draw, 3, seed=1, batch_size=8)
    again, _ = accuracy(config, draw, 3, seed=1, batch_size=8)
    assert first == again and 0 <= first <= 1
    assert score(model, draw(512, 3)) == first


@pytest.mark.parametrize("paper", [longconv.PAPER, mamba2.PAPER], ids=lambda x: x.name)
def test_claims_without_training_hold(paper):
    for claim in paper.claims:
        assert all(row.holds for row in claim.run([0, 1])), claim.name
