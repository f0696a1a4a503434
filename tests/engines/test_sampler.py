from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tts.engines.generating import Sampling
from tts.engines.transformers.sampler import Sampler

VOCABULARY = 40
CPU = torch.device("cpu")

samplings = st.builds(
    Sampling,
    temperature=st.sampled_from([0.0, 0.3, 1.0, 2.0]),
    top_p=st.sampled_from([0.05, 0.5, 0.9, 1.0]),
    top_k=st.sampled_from([0, 1, 5, VOCABULARY, 1000]),
    repetition_penalty=st.sampled_from([1.0, 1.3]),
    top_logprobs=st.sampled_from([0, 1, 3, 1000]),
)


def expected_scores(logits: Tensor, sampling: Sampling, seen: list[int]) -> Tensor:
    """Returns the log-probabilities sampled from, by transformers' own processors, `[vocabulary]`."""
    from transformers import (
        LogitsProcessorList,
        RepetitionPenaltyLogitsProcessor,
        TemperatureLogitsWarper,
        TopKLogitsWarper,
        TopPLogitsWarper,
    )

    steps = LogitsProcessorList([RepetitionPenaltyLogitsProcessor(sampling.repetition_penalty)])
    if sampling.temperature:
        steps.append(TemperatureLogitsWarper(sampling.temperature))
        if sampling.top_k:
            steps.append(TopKLogitsWarper(sampling.top_k))
        steps.append(TopPLogitsWarper(sampling.top_p))
    scores = steps(torch.tensor([seen]), logits[None].double())[0]
    if not sampling.temperature:
        scores = torch.full_like(scores, -math.inf).index_fill(0, scores.argmax(), 0.0)
    return scores.log_softmax(-1)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(samplings, st.integers(0, 2**70)), min_size=1, max_size=5), st.integers(0, 2**31))
def test_rows_sample_as_transformers_would_and_independently_of_each_other(
    rows: list[tuple[Sampling, int]], seed: int
) -> None:
    logits = torch.randn(len(rows), VOCABULARY, generator=torch.Generator().manual_seed(seed)) * 3
    prompt = [0, 3, 7]
    together = Sampler(len(rows), VOCABULARY, CPU)
    for sampling, row_seed in rows:
        together.add(sampling, row_seed, prompt)
    tokens, alternatives = together.sample(logits)
    for row, (sampling, row_seed) in enumerate(rows):
        alone = Sampler(1, VOCABULARY, CPU)
        alone.add(sampling, row_seed, prompt)
        assert alone.sample(logits[row : row + 1])[0].item() == tokens[row].item()
        expected = expected_scores(logits[row], sampling, prompt)
        assert expected[tokens[row]] > -math.inf
        got = alternatives[row]
        assert (got is None) == (sampling.top_logprobs == 0)
        if got is not None:
            raw = logits[row].double().log_softmax(-1)
            best = raw.sort(descending=True).indices[: sampling.top_logprobs].tolist()
            assert len(got.ids) == len(set(got.ids))
            assert set(got.ids) == {*best, int(tokens[row])}
            assert got.logprobs == pytest.approx(raw[got.ids].tolist(), abs=1e-12)
            assert got.sampled == pytest.approx(expected[got.ids].tolist(), abs=1e-12)


def test_a_row_keeps_its_stream_when_others_come_and_go() -> None:
    logits = torch.randn(400, VOCABULARY, generator=torch.Generator().manual_seed(1))
    alone = Sampler(1, VOCABULARY, CPU)
    alone.add(Sampling(repetition_penalty=1.2), 5, [1])
    expected = [int(alone.sample(row[None])[0]) for row in logits]
    shared = Sampler(4, VOCABULARY, CPU)
    for seed in (9, 8, 7):
        shared.add(Sampling(), seed, [2])
    shared.add(Sampling(repetition_penalty=1.2), 5, [1])
    at, got = 3, []
    for step, row in enumerate(logits):
        if step in (10, 100, 200):
            gone = (at + 1) % shared.rows
            shared.remove(gone)
            at = gone if at == shared.rows else at
        if step in (150, 300):
            shared.add(Sampling(repetition_penalty=1.5), step, [3])
        got.append(int(shared.sample(row.expand(shared.rows, -1))[0][at]))
    assert got == expected


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(temperature=0.5, top_p=0.9), Sampling(top_k=3)])
def test_frequencies_follow_the_distribution(sampling: Sampling) -> None:
    from scipy.stats import chisquare

    logits = torch.tensor([0.5, -1.0, 2.0, 0.0, 1.0, -2.0])
    draws = 4000
    sampler = Sampler(draws, len(logits), CPU)
    for seed in range(draws):
        sampler.add(replace(sampling), seed, [0])
    tokens, _ = sampler.sample(logits.expand(draws, -1))
    expected = expected_scores(logits, sampling, [0]).exp() * draws
    counts = torch.bincount(tokens, minlength=len(logits)).double()
    assert (counts[expected == 0] == 0).all()
    # The seeds are fixed, so this is no matter of luck.
    assert chisquare(counts[expected > 0].numpy(), expected[expected > 0].numpy()).pvalue > 0.001


def test_a_nucleus_may_hold_more_tokens_than_are_sorted_at_first() -> None:
    size = 30_000
    sampler = Sampler(1, size, CPU)
    sampler.add(Sampling(top_p=0.9, top_logprobs=size), 0, [0])
    logits = torch.linspace(0, 0.01, size, dtype=torch.float64)
    _, (alternatives,) = sampler.sample(logits[None])
    assert alternatives is not None
    kept = sum(value > -math.inf for value in alternatives.sampled)
    mass = logits.softmax(-1).sort(descending=True).values.cumsum(-1)
    assert kept == int((mass < 0.9).sum()) + 1
