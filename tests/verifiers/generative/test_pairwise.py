"""The pairwise judge, and comparisons by a pointwise verifier."""

from __future__ import annotations

import pytest

from tests.verifiers.fakes import PROBLEM, solution_of
from tts.budget import LimitReached, scope
from tts.core import Solution
from tts.core.errors import ProblemError
from tts.engines.scripted import ScriptedEngine
from tts.runtime.guards import CheckedVerifier, checked
from verifiers.generative.genrm import GenRM
from verifiers.generative.pairwise import PairwiseJudge
from verifiers.generative.verifier import GenerativeVerifier

ONE, TWO = Solution("so it is one", ("so it is one",)), Solution("so it is two", ("so it is two",))


@pytest.mark.parametrize(
    ("said", "ratings"),
    [
        ("Both fine.\nRating 1: 10\nRating 2: 1", (1.0, 0.0)),
        ("First I thought Rating 1: 3, but\n**Rating 1:** 5.5\nrating 2 = 7", (0.5, 2 / 3)),
        ("Rating 1: 11\nRating 2: 4", (None, 1 / 3)),
        ("Rating 1: \\boxed{10}\nRating 2: $\\boxed{1}$", (1.0, 0.0)),
        ("I cannot tell.", (None, None)),
    ],
)
async def test_the_last_ratings_of_the_text_count(said: str, ratings: tuple[float | None, float | None]) -> None:
    judge = PairwiseJudge(ScriptedEngine(lambda prompt, seed: said), chat="plain")
    with scope("problem"):
        assert await judge.compare(PROBLEM, ONE, TWO, 0) == pytest.approx(ratings)


async def test_it_reads_both_in_order_and_each_comparison_is_made_once() -> None:
    engine = ScriptedEngine(lambda prompt, seed: f"Rating 1: {1 + seed % 10}\nRating 2: 5")
    judge = PairwiseJudge(engine, chat="plain", seed=3)
    with scope("problem") as spent:
        first = await judge.compare(PROBLEM, ONE, TWO, 0)
        assert await judge.compare(PROBLEM, ONE, TWO, 0) == first
        await judge.compare(PROBLEM, TWO, ONE, 0)
        others = {await judge.compare(PROBLEM, ONE, TWO, number) for number in range(1, 9)}
    assert others != {first}
    assert spent.usage["verifier"].verifications == 10
    prompts = [request.prompt for request in engine.requests]
    assert len(prompts) == 10
    assert prompts[0].index(ONE.text) < prompts[0].index(TWO.text)
    assert prompts[1].index(TWO.text) < prompts[1].index(ONE.text)


async def test_a_single_solution_is_rated_by_itself_with_k_votes() -> None:
    engine = ScriptedEngine(lambda prompt, seed: f"Rating: {4 + 3 * (seed % 2)}")
    judge = PairwiseJudge(engine, votes=2, chat="plain")
    with scope("problem"):
        verdict = await judge.verify(PROBLEM, ONE)
    assert verdict.scores == pytest.approx((0.5,))  # of 4 and 7
    assert len(verdict.votes) == 2
    assert TWO.text not in engine.requests[0].prompt


async def test_another_verifier_that_votes_rates_each_by_a_vote_of_its_own() -> None:
    engine = ScriptedEngine(lambda prompt, seed: " Yes" if ONE.text in prompt else " No")
    judge = GenerativeVerifier(engine, GenRM(cot=True), chat="plain", temperature=1.0)
    assert judge.traits.compare is not None
    with scope("problem") as spent:
        ratings = [await judge.traits.compare(PROBLEM, ONE, TWO, number) for number in range(4)]
        assert await judge.traits.compare(PROBLEM, TWO, ONE, 0) == (0.0, 1.0)
    assert ratings == [(1.0, 0.0)] * 4
    assert spent.usage["verifier"].verifications == 8  # the other order reads the same votes


async def test_ratings_are_withheld_where_the_budget_ends_and_refused_out_of_range() -> None:
    async def limited(*of: object) -> tuple[None, None]:
        raise LimitReached("tokens")

    async def wrong(*of: object) -> tuple[float, float]:
        return 7.0, 0.5

    with scope("problem"):
        assert await checked(limited)(PROBLEM, ONE, TWO, 0) == (None, None)
        with pytest.raises(ProblemError, match=r"\[0, 1\]"):
            await checked(wrong)(PROBLEM, ONE, TWO, 0)
        guarded = CheckedVerifier(
            PairwiseJudge(ScriptedEngine(lambda prompt, seed: "Rating 1: 1 Rating 2: 10"), chat="plain")
        )
        assert guarded.traits.compare is not None
        assert await guarded.traits.compare(PROBLEM, solution_of(1), solution_of(2), 0) == (0.0, 1.0)
