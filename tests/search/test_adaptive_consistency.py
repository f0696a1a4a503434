"""Laws of adaptive consistency."""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from search.adaptive_consistency import STOPPING_RULES, AdaptiveConsistency
from search.dirichlet import confidence
from search.majority import Majority
from tests.search.helpers import GivenVerifier, PlainGrader
from tests.search.toy import PROBLEM, shape
from tts.core import Problem, SearchResult, Solution
from tts.core.errors import UserError

counts_ = st.lists(st.integers(0, 40), min_size=2, max_size=6).map(lambda counts: tuple(sorted(counts, reverse=True)))
answers_ = st.lists(st.sampled_from(["1", "1", "1", "2", "3", ""]), min_size=1, max_size=24)


@dataclass
class Answers:
    """Whole solutions with given answers, landing at shuffled times; an empty answer is a cut solution."""

    answers: list[str]
    latency: int = 0
    limit: int | None = None
    splits: bool = False
    asked: list[int] = field(default_factory=list)
    landed: list[int] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0

    async def solutions(
        self, problem: Problem, prefix: Solution, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        for index in range(first, first + n):
            if self.limit is not None and len(self.asked) >= self.limit:
                return
            self.asked.append(index)
            self.in_flight += 1
            self.most_in_flight = max(self.in_flight, self.most_in_flight)
            try:
                for _ in range(random.Random(f"{self.latency} {index}").randrange(8)):
                    await asyncio.sleep(0)
            finally:
                self.in_flight -= 1
            self.landed.append(index)
            text = f"The answer is \\boxed{{{self.answers[index]}}}."
            yield Solution(text, (text,), "stop" if self.answers[index] else "length", index)

    def token_bound(self, n: int, steps: int | None = None) -> int:
        return n


async def searched(strategy: AdaptiveConsistency | Majority, policy: Answers) -> SearchResult:
    return await strategy.search(PROBLEM, policy, GivenVerifier([]), PlainGrader())


def settled(rule: str, answers: list[str], threshold: float) -> bool:
    """The rule over these samples."""
    votes = sorted(Counter(answer for answer in answers if answer).values(), reverse=True)
    compared = tuple([*votes, 0, 0][: max(2, len(votes) if rule == "dirichlet" else 2)])
    return bool(votes) and confidence(compared) >= threshold


@given(a=st.integers(0, 60), b=st.integers(0, 60))
def test_with_two_answers_it_is_the_beta_rule(a: int, b: int) -> None:
    # P(Beta(a + 1, b + 1) > 1/2) = P(Binomial(a + b + 1, 1/2) <= a), exactly.
    exact = sum(math.comb(a + b + 1, j) for j in range(a + 1)) / 2 ** (a + b + 1)
    assert confidence((a, b)) == pytest.approx(exact, abs=1e-9)


@settings(max_examples=25)
@given(counts=counts_)
def test_with_more_it_is_the_dirichlet_rule(counts: tuple[int, ...]) -> None:
    lead, *others = counts

    def integrand(x: float) -> float:
        return stats.gamma.pdf(x, lead + 1) * math.prod(stats.gamma.cdf(x, other + 1) for other in others)

    exact, _ = integrate.quad(integrand, 0, lead + 12 * math.sqrt(lead + 1) + 40, limit=200, points=[lead + 1])
    assert confidence(counts) == pytest.approx(exact, abs=1e-7)


def test_it_is_the_probability_that_a_dirichlet_draw_has_its_largest_part_first() -> None:
    counts = (7, 3, 3, 1)
    draws = np.random.default_rng(0).dirichlet([count + 1 for count in counts], 200_000)
    # Five standard deviations: fails once in 10^6 seeds, and the seed is fixed.
    assert confidence(counts) == pytest.approx((draws.argmax(axis=1) == 0).mean(), abs=5 * 0.5 / math.sqrt(200_000))


@given(counts=counts_)
def test_confidence_grows_with_the_lead_and_falls_with_every_rival(counts: tuple[int, ...]) -> None:
    assert confidence((counts[0] + 1, *counts[1:])) >= confidence(counts) - 1e-12
    assert confidence((*counts, 0)) <= confidence(counts) + 1e-12


@pytest.mark.parametrize("rule", STOPPING_RULES)
@given(answers=answers_, threshold=st.floats(0.55, 0.99), window=st.integers(1, 8), latency=st.integers(0, 100))
async def test_where_it_stops_depends_on_the_samples_alone(
    rule: str, answers: list[str], threshold: float, window: int, latency: int
) -> None:
    n = len(answers)
    result = await searched(AdaptiveConsistency(n, rule, threshold, window), policy := Answers(answers, latency))
    serial = await searched(AdaptiveConsistency(n, rule, threshold, 1), Answers(answers))
    assert shape(result) == shape(serial)
    # The first samples, up to the first after which the rule holds.
    drawn = len(result.candidates)
    assert [candidate.solution.index for candidate in result.candidates] == list(range(drawn))
    for seen in range(1, drawn + 1):
        assert settled(rule, answers[:seen], threshold) == (seen == drawn) or seen == n
    assert policy.most_in_flight <= window
    assert len(policy.asked) < drawn + window
    assert policy.in_flight == 0


async def test_samples_in_flight_are_cancelled_when_it_stops() -> None:
    class Stuck(Answers):
        async def solutions(
            self, problem: Problem, prefix: Solution, n: int, first: int = 0
        ) -> AsyncGenerator[Solution, None]:
            if first >= 4:
                await asyncio.Event().wait()
            async for solution in super().solutions(problem, prefix, n, first):
                yield solution

    async with asyncio.timeout(60):  # for ever, if it fails
        result = await searched(AdaptiveConsistency(16, window=8), Stuck(["1"] * 16))
    assert len(result.candidates) == 4


@pytest.mark.parametrize("rule", STOPPING_RULES)
@given(answers=answers_, latency=st.integers(0, 100))
async def test_threshold_1_is_the_majority(rule: str, answers: list[str], latency: int) -> None:
    adaptive = await searched(AdaptiveConsistency(len(answers), rule, 1.0), Answers(answers, latency))
    assert shape(adaptive) == shape(await searched(Majority(len(answers)), Answers(answers)))


@pytest.mark.parametrize("rule", STOPPING_RULES)
@pytest.mark.parametrize(("threshold", "rivals"), [(0.7, (2, 2)), (0.8, (2, 2)), (0.9, (2, 10)), (0.95, (2, 10))])
def test_it_agrees_with_the_full_majority_as_often_as_it_is_confident(
    rule: str, threshold: float, rivals: tuple[int, int]
) -> None:
    # Below .9 this is true of two answers only: one that was not drawn yet counts for nothing, in the paper too.
    rng = random.Random(1)
    agreed = stopped = 0
    for _ in range(2000):
        # The rule's own belief: all distributions over the answers are equally likely.
        weights = [rng.expovariate(1) for _ in range(rng.randint(*rivals))]
        answers = [str(answer) for answer in rng.choices(range(len(weights)), weights, k=40)]
        stop = next((seen for seen in range(1, 40) if settled(rule, answers[:seen], threshold)), None)
        if stop is not None:
            stopped += 1
            votes = Counter(answers)
            agreed += votes[Counter(answers[:stop]).most_common(1)[0][0]] == max(votes.values())
    assert stopped > 600
    assert agreed / stopped >= threshold


@given(answers=answers_, limit=st.integers(0, 24), window=st.integers(1, 8))
async def test_it_ends_with_what_it_has_where_the_budget_does(answers: list[str], limit: int, window: int) -> None:
    result = await searched(AdaptiveConsistency(len(answers), window=window), Answers(answers, 0, limit))
    assert len(result.candidates) <= limit
    votes = Counter(answer for answer in answers[: len(result.candidates)] if answer)
    assert result.answer is None if not votes else votes[result.answer] == max(votes.values())


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"n": 0}, r"n=0"),
        ({"window": 0}, r"window=0"),
        ({"rule": "entropy"}, r"rule=entropy: choose one of beta, dirichlet"),
        ({"threshold": 0.5}, r"threshold=0\.5: more than 0.5 and at most 1"),
        ({"threshold": 1.1}, r"threshold=1\.1"),
        ({"threshold": math.nan}, r"threshold=nan"),
    ],
)
def test_wrong_settings_are_named(wrong: dict, says: str) -> None:
    with pytest.raises(UserError, match="^" + says):
        AdaptiveConsistency(**{"n": 4, **wrong})


def test_it_bounds_its_tokens_and_asks_no_verifier() -> None:
    strategy = AdaptiveConsistency(8)
    assert strategy.token_bound(Answers([])) == 8
    assert not strategy.verifies
