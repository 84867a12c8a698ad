"""Generation: the state as a thing, rows that do not touch, and every rule of choosing."""

import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from resolvent.model import (
    Context,
    LanguageConfig,
    LanguageModel,
    PrefixCache,
    Sampling,
    load_context,
    read,
)
from resolvent.model.tokenizer import Bytes, TextStream

GREEDY = Sampling(temperature=0)
# one step at a time or all at once: the same sums in another order
CLOSE = {"rtol": 1e-10, "atol": 1e-10}


def make(layers=("Mamba", "Mamba2"), vocab_size=256, **fields) -> LanguageModel:
    config = LanguageConfig(vocab_size, 12, 2, layers=layers, tied=False, **fields)
    model = LanguageModel(config).double().eval()
    with torch.no_grad():
        model.embedding.weight *= 50  # untrained, but not undecided
    return model


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return make()


def naive(model, prompt: list[int], steps: int) -> list[int]:
    """Greedy generation without a state: the whole text again for every token."""
    tokens = list(prompt)
    with torch.no_grad():
        for _ in range(steps):
            tokens.append(int(model(torch.tensor([tokens]))[0][0, -1].argmax()))
    return tokens[len(prompt) :]


def test_the_test_model_says_many_things(model):
    assert len(set(naive(model, [1, 2], 12))) > 4


def test_unequal_prompts_give_what_each_gives_alone(model):
    prompts = [[1, 2, 3], [7], list(range(40))]
    assert model.generate(prompts, 8, GREEDY) == [naive(model, x, 8) for x in prompts]


def test_text_in_text_out(model):
    (text,) = model.generate("Grüße", 12, GREEDY)
    assert text == Bytes().decode(naive(model, list("Grüße".encode()), 12))
    assert "".join(piece for (piece,) in model.stream("Grüße", 12, GREEDY)) == text


def test_draws_depend_on_seed_and_row_alone(model):
    sampling = Sampling(temperature=1.3, seed=5)
    both = model.generate([[1, 2], [3, 4, 5]], 20, sampling)
    assert both[0] == model.generate([[1, 2]], 20, sampling)[0]
    assert both == model.generate([[1, 2], [3, 4, 5]], 20, sampling)
    same = model.generate([[1, 2], [1, 2]], 20, sampling)
    assert same[0] != same[1]
    assert both[0] != model.generate([[1, 2]], 20, Sampling(temperature=1.3, seed=6))[0]


@settings(max_examples=8)
@given(cuts=st.lists(st.integers(0, 50), max_size=3), chunk=st.integers(1, 60))
def test_reading_in_pieces_and_chunks(model, cuts, chunk):
    tokens = torch.arange(50)
    whole = read(model, [tokens, tokens[:3]])
    context, edges = None, [0, *sorted(cuts), 50]
    for start, stop in zip(edges[:-1], edges[1:], strict=True):
        rows = [tokens[start:stop], tokens[start : min(stop, 3)]]
        if context is None and not stop:
            continue
        context = read(model, rows, context, chunk)
    torch.testing.assert_close(context, whole, **CLOSE)
    assert whole.length.tolist() == [50, 3] and whole.seen.sum(1).tolist() == [50, 3]


def test_a_context_goes_on_in_another_process(model, tmp_path):
    model.save_pretrained(tmp_path)
    read(model, [torch.arange(30)]).save(tmp_path / "state")
    code = (
        "import sys, torch; from resolvent.model import *; "
        "m = LanguageModel.from_pretrained(sys.argv[1], torch.float64); "
        "c = load_context(m, sys.argv[1] + '/state'); "
        "print(m.generate([[]], 10, Sampling(temperature=0), context=c)[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(naive(model, list(range(30)), 10))


def test_a_context_can_be_forked_and_generation_leaves_one(model):
    start = read(model, [torch.arange(9)])
    assert start.rows([0, 0]).length.tolist() == [9, 9]
    generation = model.stream([[]], 5, GREEDY, context=start)
    tokens = [x for (piece,) in generation for x in piece]
    assert generation.context.length.tolist() == [14]
    more = model.generate([[]], 4, GREEDY, context=generation.context)[0]
    assert tokens + more == naive(model, list(range(9)), 9)
    again = model.generate([[], []], 9, GREEDY, context=start.rows([0, 0]))
    assert again == [tokens + more] * 2  # the fork was not touched


def test_a_context_of_another_model_is_refused(model, tmp_path):
    read(model, [torch.arange(9)]).save(tmp_path / "state")
    with pytest.raises(ValueError, match="saved from another layer or model"):
        load_context(make(("Mamba",)), tmp_path / "state")


def test_prefixes_are_read_once(model, monkeypatch):
    calls = []
    original = LanguageModel.features
    monkeypatch.setattr(
        LanguageModel,
        "features",
        lambda self, tokens, *a, **k: (
            calls.append(tokens.shape[1]),
            original(self, tokens, *a, **k),
        )[1],
    )
    cache = PrefixCache(model, capacity=2)
    cache.read(range(20))
    found = cache.read(range(25))
    cache.read(range(20))
    assert calls == [20, 5]
    torch.testing.assert_close(found, read(model, [torch.arange(25)]), **CLOSE)
    cache.read([9])
    assert len(cache.kept) == 2 and tuple(range(25)) not in cache.kept


def test_rows_end_on_their_own(model):
    free = naive(model, [1, 2], 12)
    end = free[4]
    first = free.index(end)
    generation = model.stream([[1, 2], [3]], 12, GREEDY, stop=[end])
    pieces = [x for step in generation for x in step[0]]
    assert pieces == free[:first]
    # the end token is read as well, nothing after it
    assert generation.context.length[0] == 2 + first + 1
    other = naive(model, [3], 12)
    assert generation.tokens[1] == other[: other.index(end) + 1 if end in other else 12]


def test_stop_strings_are_not_given_out(model):
    (text,) = model.generate("ab", 40, Sampling(seed=1))
    cut = text[5:8]
    (stopped,) = model.generate("ab", 40, Sampling(seed=1), stop=[cut])
    assert stopped == text[: text.index(cut)]


def test_boundaries_end_texts():
    model = make(vocab_size=257, boundary=256)
    assert model.end_tokens == (256,)
    with torch.no_grad():
        logits, _ = model(torch.tensor([[5, 6, 256, 7, 8]]))
        alone, _ = model(torch.tensor([[256, 7, 8]]))
    torch.testing.assert_close(logits[:, 2:], alone, **CLOSE)


@given(st.text(max_size=30), st.lists(st.text(min_size=1, max_size=3), max_size=2))
def test_a_text_stream_gives_out_what_decoding_gives(text, stop):
    stream = TextStream(Bytes(), stop)
    shown = ""
    for token in Bytes().encode(text):
        shown += stream.push(token)
        if stream.stopped:
            break
    shown += stream.finish()
    ends = [text.index(s) + len(s) for s in stop if s in text]
    kept = text[: min(ends)] if ends else text
    cuts = [kept.index(s) for s in stop if s in kept]
    assert shown == (kept[: min(cuts)] if cuts else text)


def chances(sampling: Sampling, logits: list[float], seen=()) -> torch.Tensor:
    mask = torch.zeros(1, len(logits), dtype=torch.bool)
    mask[0, list(seen)] = True
    return sampling.log_probabilities(torch.tensor([logits]), mask).exp()[0]


def test_rules_of_choosing():
    p = torch.tensor([0.1, 0.4, 0.3, 0.2], dtype=torch.float64)
    x = p.log().tolist()

    def kept(**rules):
        return chances(Sampling(**rules), x).nonzero()[:, 0].tolist()

    torch.testing.assert_close(chances(Sampling(), x), p)
    assert kept(temperature=0) == [1]
    assert kept(top_k=2) == [1, 2] and kept(top_k=9) == [0, 1, 2, 3]
    assert kept(top_p=0.3) == [1] and kept(top_p=0.5) == [1, 2] and kept(top_p=1.0) == [0, 1, 2, 3]
    assert kept(min_p=0.45) == [1, 2, 3] and kept(min_p=1.0) == [1]
    assert kept(top_k=3, top_p=0.9) == [1, 2, 3] and kept(top_k=3, top_p=0.7) == [1, 2]
    torch.testing.assert_close(
        chances(Sampling(top_k=2), x), torch.tensor([0, 4 / 7, 3 / 7, 0], dtype=torch.float64)
    )
    warm = chances(Sampling(temperature=2.0), x)
    torch.testing.assert_close(warm, p.sqrt() / p.sqrt().sum())
    penalised = chances(Sampling(repetition_penalty=2.0), [2.0, -1.0, 0.5], seen=(0, 1))
    expected = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64).softmax(0)
    torch.testing.assert_close(penalised, expected)


def test_draws_follow_the_probabilities(model):
    logits = torch.tensor([0.1, 0.4, 0.3, 0.2]).log().expand(4000, -1)
    from resolvent.model.sampling import Sampler

    drawn = Sampler(Sampling(seed=0), 4000)(logits, torch.zeros(4000, 4, dtype=torch.bool))
    shares = drawn.bincount(minlength=4) / 4000
    # three standard deviations of a share of 4,000 draws
    torch.testing.assert_close(shares, torch.tensor([0.1, 0.4, 0.3, 0.2]), rtol=0, atol=0.024)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"temperature": -1}, "temperature: expected a number of at least 0, got -1"),
        ({"top_k": 0}, "top_k: expected a whole number of at least 1, got 0"),
        ({"top_p": 0.0}, "top_p: expected a share above 0, at most 1"),
        ({"min_p": 2.0}, "min_p: expected a probability, got 2.0"),
        ({"repetition_penalty": 0.0}, "repetition_penalty: expected a number above 0"),
        ({"top_k": True}, "top_k: expected a whole number of at least 1, got True"),
        ({"seed": -1}, "seed: expected a whole number of at least 0, got -1"),
    ],
)
def test_impossible_rules_are_named(rules, message):
    with pytest.raises(ValueError, match=message):
        Sampling(**rules)


@pytest.mark.parametrize(
    ("prompts", "options", "message"),
    [
        ([], {}, "prompts: got none"),
        (["a", [1]], {}, "prompts: got texts and tokens"),
        ([1, 2], {}, r"prompts: expected a sequence of tokens a row; for one row give \[tokens\]"),
        (torch.tensor([1, 2]), {}, "prompts: expected a sequence of tokens a row"),
        ([[1.5]], {}, "prompts: tokens must be integers"),
        ("a", {"max_tokens": -1}, "max_tokens: expected a whole number of at least 0, got -1"),
        ("a", {"stop": ["b", ""]}, "stop: an empty string stands everywhere"),
    ],
)
def test_what_cannot_be_generated_is_named(model, prompts, options, message):
    with pytest.raises(ValueError, match=message):
        model.generate(prompts, **options)


def test_one_stop_string_needs_no_list(model):
    whole = model.generate("ab", 20, GREEDY)[0]
    stop = whole[5:7]
    assert model.generate("ab", 20, GREEDY, stop) == [whole[: whole.index(stop)]]


def test_impossible_prompts_are_named(model):
    with pytest.raises(ValueError, match="a row has no token to start from"):
        model.generate([[1], []], 3)
    with pytest.raises(ValueError, match="expected one for each of the 1 rows"):
        model.generate([[1], [2]], 3, context=read(model, [torch.tensor([1])]))
    with pytest.raises(ValueError, match="tokens: must lie in 0..255, got 3 to 300"):
        model.generate([[3, 300]], 3)
    with pytest.raises(ValueError, match="the model has no tokenizer"):
        make(vocab_size=30).generate("text")


@pytest.mark.slow
def test_two_hundred_thousand_tokens_in_flat_memory():
    model = make().float()
    tokens = torch.randint(0, 256, (200_000,), generator=torch.Generator().manual_seed(0))
    context = read(model, [tokens])
    half = read(model, [tokens[100_000:]], read(model, [tokens[:100_000]], chunk=777), chunk=4096)
    assert isinstance(context, Context) and torch.isfinite(context.logits).all()
    torch.testing.assert_close(half.logits, context.logits, rtol=1e-3, atol=1e-3)


def test_a_context_that_grows_goes_on(tmp_path):
    model = make(("Attention", "MLP"))
    assert model.grows and not make(("Mamba",)).grows
    read(model, [torch.arange(30), torch.arange(7)]).save(tmp_path / "state")
    context = load_context(model, tmp_path / "state")
    expected = [naive(model, list(range(n)), 6) for n in (30, 7)]
    assert model.generate([[], []], 6, GREEDY, context=context) == expected
