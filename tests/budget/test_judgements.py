"""Judgements: shared by those who ask for the same, and counted once."""

from __future__ import annotations

import asyncio
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tts.budget import Judgements, scope
from tts.core import Problem


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), max_size=20))
async def test_each_is_made_and_counted_once_whoever_asks_first(asked: list[tuple[int, int]]) -> None:
    judgements: Judgements[str] = Judgements()
    made: Counter[tuple[str, int]] = Counter()
    # Equal problems that were made apart, as by processes that hand them to each other.
    problems = [(Problem(str(name), "?"), key) for name, key in asked]

    async def ask(problem: Problem, key: int) -> str:
        async def judge() -> str:
            made[problem.id, key] += 1
            await asyncio.sleep(0)
            return f"{problem.id} {key}"

        return await judgements.get(problem, key, judge)

    with scope() as meter:
        found = await asyncio.gather(*(ask(problem, key) for problem, key in problems))
    assert found == [f"{name} {key}" for name, key in asked]
    assert set(made.values()) <= {1}
    assert meter.usage["verifier"].verifications == len(made) == len(set(asked))


async def test_they_are_charged_to_the_role_and_the_scope_that_began_them() -> None:
    judgements: Judgements[int] = Judgements("labeller")
    problem = Problem("a", "?")

    async def judge() -> int:
        return 1

    with scope() as whole:
        with scope() as first:
            await judgements.get(problem, "x", judge)
        with scope() as second:
            await judgements.get(Problem("a", "?"), "x", judge)
            judgements.count(3)
    assert first.usage["labeller"].verifications == 1
    assert second.usage["labeller"].verifications == 3
    assert whole.usage["labeller"].verifications == 4
    assert whole.usage["verifier"].verifications == 0


async def test_a_problem_that_is_read_again_finds_its_judgements_though_the_first_one_is_gone() -> None:
    judgements: Judgements[object] = Judgements()

    async def judge() -> object:
        return object()

    first = Problem("a", "?")
    made = await judgements.get(first, "x", judge)
    second = Problem("a", "?")
    assert await judgements.get(second, "x", judge) is made
    del first
    assert await judgements.get(second, "x", judge) is made
    assert await judgements.get(Problem("a", "?"), "x", judge) is made
    assert await judgements.get(Problem("a", "another?"), "x", judge) is not made
