"""Laws of the strategies that write step by step and judge before they go on: chunk-reset and speculative writing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.base import BasePolicy
from search.chunk_reset import ChunkReset
from search.speculative import Speculative
from tests.search.helpers import PlainGrader
from tests.search.toy import PROBLEM, Toy, again, check_step_search, shape, toys
from tts.budget import LimitReached
from tts.core import Problem, SearchResult, Solution, Verdict
from tts.core.errors import UserError
from tts.core.traits import PolicyTraits
from tts.core.tree import choose
from verifiers.base import BaseVerifier


@given(toys, st.integers(1, 4), st.integers(1, 4), st.sampled_from([0.2, 0.5, 0.9]))
async def test_chunk_reset_obeys_the_laws_of_searches_over_steps(
    toy: Toy, n: int, tries: int, threshold: float
) -> None:
    await check_step_search(toy, lambda: ChunkReset(n, tries, threshold))


@given(toys, st.integers(1, 4), st.sampled_from([0.2, 0.5, 0.9]))
async def test_a_step_is_sampled_until_one_is_accepted_and_the_best_stays(
    toy: Toy, tries: int, threshold: float
) -> None:
    tree = (await toy.search(ChunkReset(1, tries, threshold))).tree
    for number in range(len(tree.nodes)):
        steps = [tree.nodes[child] for child in tree.children(number)]
        scores = [None if node.scores is None else node.scores[-1] for node in steps]
        accepted = [score is not None and score >= threshold for score in scores]
        assert len(steps) <= tries
        assert not any(accepted[:-1])
        assert len([node for node in steps if node.status == "expanded"]) <= 1


@pytest.mark.parametrize("aggregator", ["min", "prod", "last"])
async def test_an_accepted_step_stays_however_bad_the_steps_before_it_were(aggregator: str) -> None:
    class Twice(BasePolicy):
        traits = PolicyTraits()

        async def steps(
            self, problem: Problem, prefix: Solution, n: int, first: int = 0
        ) -> AsyncGenerator[Solution, None]:
            step = f"{'second' if prefix.steps else 'first'} {first % 2}"
            steps, ends = (*prefix.steps, step), bool(prefix.steps)
            yield Solution("\n\n".join(steps), steps, "stop" if ends else "step", first)

    class Table(BaseVerifier):
        async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
            given = {"first 0": 0.2, "first 1": 0.2, "second 0": 0.3, "second 1": 0.9}
            return Verdict(tuple(given[step] for step in solution.steps), (), aggregator)

    result = await ChunkReset(1, 2).search(PROBLEM, Twice(), Table(), PlainGrader())
    assert result.candidates[0].solution.steps == ("first 0", "second 1")


class Numbered(BasePolicy):
    """Writes steps that say who wrote them; the third ends the solution."""

    def __init__(self, name: str, limit: int = 1_000) -> None:
        self.name, self.limit, self.written = name, limit, 0
        self.traits = PolicyTraits()

    async def steps(self, problem: Problem, prefix: Solution, n: int, first: int = 0) -> AsyncGenerator[Solution, None]:
        for index in range(first, first + n):
            await asyncio.sleep(0)
            if self.written >= self.limit:
                raise LimitReached("tokens")
            self.written += 1
            ends = len(prefix.steps) == 2
            step = f"{self.name} {index} " + ("\\boxed{1}" if ends else "")
            steps = (*prefix.steps, step)
            yield Solution("\n\n".join(steps), steps, "stop" if ends else "step", index)


class Likes(BaseVerifier):
    """Scores a step 1 if the draft wrote it and its place is liked, else 0."""

    def __init__(self, places: set[int]) -> None:
        self.places = places
        self.judged: list[str] = []

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        self.judged += [solution.text]
        return Verdict(
            tuple(float(step.startswith("draft") and place in self.places) for place, step in enumerate(solution.steps))
        )


async def speculate(places: set[int], n: int = 1, limit: int = 1_000) -> tuple[SearchResult, Numbered, Numbered]:
    draft, large = Numbered("draft", limit), Numbered("large")
    result = await Speculative(n, draft).search(PROBLEM, large, Likes(places), PlainGrader())
    return result, draft, large


@given(st.sets(st.integers(0, 2)), st.integers(1, 4))
async def test_the_large_policy_writes_exactly_the_rejected_steps(places: set[int], n: int) -> None:
    result, draft, large = await speculate(places, n)
    for candidate in result.candidates:
        wrote = [step.split()[0] for step in candidate.solution.steps]
        assert wrote == ["draft" if place in places else "large" for place in range(3)]
        assert candidate.score is not None
    assert (draft.written, large.written) == (3 * n, (3 - len(places)) * n)
    assert choose(result.tree) == result.tree.chosen


async def test_a_budget_that_the_draft_uses_up_leaves_the_large_policy_no_error() -> None:
    result, _, _ = await speculate({0, 1, 2}, limit=1)
    assert [step.split()[0] for step in result.candidates[0].solution.steps] == ["draft", "large", "large"]


@given(toys, st.integers(1, 3), st.integers(0, 1000))
async def test_the_order_in_which_drafts_land_changes_nothing(toy: Toy, n: int, latency: int) -> None:
    class Draft(Toy):
        traits = PolicyTraits()

    def strategy(seed: int) -> Speculative:
        return Speculative(n, Draft(toy.seed, toy.branching, toy.depth, True, latency=seed))

    first = await again(toy, repeats=True).search(strategy(1))
    assert shape(await again(toy, repeats=True, latency=latency).search(strategy(latency))) == shape(first)


def test_wrong_settings_are_named() -> None:
    draft = Numbered("draft")
    for changes, says in (
        ({"threshold": 0.0}, r"^threshold=0\.0: more than 0"),
        ({"threshold": 1.2}, r"^threshold=1\.2: .*at most 1"),
        ({"n": 0}, r"^n=0"),
        ({"draft": BasePolicy()}, r"^draft=BasePolicy: it cannot continue a partial solution"),
        ({"draft": "qwen"}, r"^draft=qwen"),
    ):
        with pytest.raises(UserError, match=says):
            Speculative(**{"n": 1, "draft": draft, **changes})
    for changes, says in (({"tries": 0}, r"^tries=0"), ({"threshold": 0.0}, r"^threshold=0\.0")):
        with pytest.raises(UserError, match=says):
            ChunkReset(**{"n": 1, **changes})
