"""Laws of ranking and verifying in shells."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.base import BasePolicy
from search.best_of_n import BestOfN
from search.rank_verify import RankVerify
from tests.search.helpers import GivenVerifier, PlainGrader
from tests.search.toy import PROBLEM
from tts.core import Problem, SearchResult, Solution
from tts.core.errors import UserError
from tts.core.tree import choose
from verifiers.trivial import Random


@dataclass
class Answers(BasePolicy):
    """Solutions with given answers; an empty answer is a cut solution."""

    answers: list[str]
    limit: int = 1_000
    drawn: list[int] = field(default_factory=list)

    async def solutions(
        self, problem: Problem, prefix: Solution, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        for index in reversed(range(first, first + n)):
            if len(self.drawn) >= self.limit:
                return
            self.drawn.append(index)
            text = f"\\boxed{{{self.answers[index]}}}"
            yield Solution(text, (text,), "stop" if self.answers[index] else "length", index)


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[str], list[tuple[float]], list[tuple[float | None]]]:
    """Answers, the verifier's scores and the ranker's."""
    answers = draw(st.lists(st.sampled_from(["1", "2", "3", ""]), min_size=1, max_size=20))
    scores = st.lists(st.floats(0, 1).map(lambda x: (x,)), min_size=len(answers), max_size=len(answers))
    ranks = st.lists((st.none() | st.integers(0, 3)).map(lambda x: (x,)), min_size=len(answers), max_size=len(answers))
    return answers, draw(scores), draw(ranks)


async def run(strategy: RankVerify | BestOfN, policy: Answers, verifier: GivenVerifier) -> SearchResult:
    return await strategy.search(PROBLEM, policy, verifier, PlainGrader())


@given(cases(), st.integers(1, 4), st.integers(0, 3), st.floats(0.1, 1))
async def test_shells_double_and_the_best_of_the_ranking_is_verified_first(
    case: tuple, tail: int, more: int, threshold: float
) -> None:
    answers, scores, ranks = case
    n, pool = len(answers), tail + more
    policy, verifier = Answers(answers), GivenVerifier(scores)
    result = await run(RankVerify(n, GivenVerifier(ranks), pool, tail, threshold), policy, verifier)
    # The rule, shell by shell.
    asked: list[int] = []
    size, passed = min(pool, n), False
    while not passed:
        left = [i for i in range(size) if i not in asked and answers[i]]
        left.sort(key=lambda i: (-(ranks[i][0] if ranks[i][0] is not None else -1), i))
        for index in left[:tail]:
            asked.append(index)
            passed = scores[index][0] >= threshold
            if passed:
                break
        if size == n or passed:
            break
        size, tail = min(2 * size, n), 2 * tail
    assert verifier.asked == asked
    assert sorted(policy.drawn) == list(range(size))
    assert choose(result.tree) == result.tree.chosen
    if passed:
        assert result.candidates[result.chosen].solution.index == asked[-1]


@given(cases(), st.floats(0.1, 1))
async def test_where_everything_is_verified_it_is_as_good_as_best_of_n_or_stops_at_what_passes(
    case: tuple, threshold: float
) -> None:
    answers, scores, ranks = case
    n = len(answers)
    ours = await run(RankVerify(n, GivenVerifier(ranks), n, n, threshold), Answers(answers), GivenVerifier(scores))
    best = await run(BestOfN(n), Answers(answers), GivenVerifier(scores))
    chosen = None if ours.chosen is None else ours.candidates[ours.chosen].score
    if chosen is None or chosen < threshold:
        assert ours.answer == best.answer
    verified = [candidate.score for candidate in ours.candidates if candidate.score is not None]
    assert len(verified) <= n


async def test_an_easy_problem_costs_a_pool_and_one_verification() -> None:
    policy, verifier = Answers(["1"] * 64), GivenVerifier([(1.0,)] * 64)
    await run(RankVerify(64, Random(), 4, 1), policy, verifier)
    assert (len(policy.drawn), len(verifier.asked)) == (4, 1)


@given(cases(), st.integers(0, 20))
async def test_a_used_up_budget_ends_the_search(case: tuple, limit: int) -> None:
    answers, scores, ranks = case
    policy = Answers(answers, limit)
    result = await run(RankVerify(len(answers), GivenVerifier(ranks)), policy, GivenVerifier(scores))
    assert len(result.candidates) <= min(limit, len(answers))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"n": 0}, r"^n=0: at least 1"),
        ({"pool": 0}, r"^pool=0: at least 1"),
        ({"tail": 5}, r"^tail=5: at most pool=4 solutions can be verified"),
        ({"threshold": 0.0}, r"^threshold=0\.0: more than 0"),
        ({"threshold": 1.5}, r"^threshold=1\.5: .*at most 1"),
        ({"ranker": 3}, r"^ranker=3"),
    ],
)
def test_wrong_settings_are_named(changes: dict, says: str) -> None:
    with pytest.raises(UserError, match=says):
        RankVerify(**{"n": 4, "ranker": Random(), **changes})
