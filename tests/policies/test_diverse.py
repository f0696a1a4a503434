"""Policies around a policy: questions in several styles, and plans first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.base import BasePolicy
from policies.planned import PLAN, Planned
from policies.styled import Styled
from tts.budget import LimitReached
from tts.core import Problem, Solution
from tts.core.errors import UserError
from tts.core.policy import GREEDY
from tts.core.traits import PolicyTraits

PROBLEM = Problem("p", "How many {x}?", "2")
CHAT = Problem("c", messages=({"role": "system", "content": "Be brief."}, {"role": "user", "content": "How many?"}))


@dataclass
class Repeats(BasePolicy):
    """Writes what it was asked; samples land in an order of their own, and those after a limit are refused."""

    limit: int = 1_000
    asked: list[tuple[Problem, int]] = field(default_factory=list)
    cancelled: int = 0
    traits = PolicyTraits()

    async def solutions(
        self, problem: Problem, prefix: Solution, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        for index in range(first, first + n):
            if len(self.asked) >= self.limit:
                raise LimitReached("tokens")
            self.asked.append((problem, index))
            try:
                for _ in range(7 * index % 5):
                    await asyncio.sleep(0)
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
            yield Solution(f"{prefix.text}<{problem.question} {index}>", (), "stop", index)

    steps = solutions

    def token_bound(self, n: int, steps: int | None = None) -> int:
        return 10 * n * (steps or 1)


async def drawn(stream: AsyncGenerator[Solution, None]) -> dict[int, str]:
    return {solution.index: solution.text async for solution in stream}


STYLES = ["{question}", "Backwards: {question}", "{question} By a drawing."]


@given(st.integers(0, 9), st.integers(1, 9))
async def test_sample_i_has_style_i_whatever_it_is_drawn_with(first: int, n: int) -> None:
    policy = Styled(Repeats(), STYLES)
    for draw in (policy.solutions, policy.steps):
        texts = await drawn(draw(PROBLEM, Solution("a"), n, first))
        expected = {
            i: f"a<{STYLES[i % 3].replace('{question}', PROBLEM.question)} {i}>" for i in range(first, first + n)
        }
        assert texts == expected


async def test_one_style_is_the_policy_itself_and_the_greedy_sample_has_the_first() -> None:
    plain, styled = Repeats(), Styled(Repeats(), ["{question}"])
    for first in (0, GREEDY):
        n = 1 if first == GREEDY else 4
        assert await drawn(styled.solutions(PROBLEM, Solution(), n, first)) == await drawn(
            plain.solutions(PROBLEM, Solution(), n, first)
        )
    assert await drawn(Styled(Repeats(), STYLES).solutions(PROBLEM, Solution(), 1, GREEDY)) == {
        -1: "<How many {x}? -1>"
    }


async def test_the_last_turn_of_a_conversation_is_what_is_styled() -> None:
    inner = Repeats()
    await drawn(Styled(inner, STYLES[1:]).solutions(CHAT, Solution(), 1))
    (read, _), *_ = inner.asked
    assert [turn["content"] for turn in read.turns] == ["Be brief.", "Backwards: How many?"]
    assert read.answer == CHAT.answer


@given(st.integers(0, 9), st.integers(1, 5))
async def test_every_solution_follows_a_plan_of_its_own(first: int, n: int) -> None:
    texts = await drawn(
        Planned(Repeats(), "Plan: {question}", "{question} As: {plan}").solutions(PROBLEM, Solution(), n, first)
    )
    plan = "<Plan: How many {{x}}? {0}>"
    assert texts == {i: f"<How many {{x}}? As: {plan.format(i)} {i}>" for i in range(first, first + n)}


@given(st.integers(0, 7), st.booleans())
async def test_a_used_up_budget_ends_the_samples_after_those_that_were_drawn(limit: int, planned: bool) -> None:
    inner = Repeats(limit)
    policy = Planned(inner) if planned else Styled(inner, STYLES)
    texts, reached = [], False
    try:
        async for solution in policy.solutions(PROBLEM, Solution(), 8):
            texts.append(solution.text)
    except LimitReached:
        reached = True
    assert reached
    assert len(texts) <= limit // 2 if planned else len(texts) == limit


async def test_what_is_not_waited_for_is_cancelled() -> None:
    inner = Repeats()
    async with aclosing(Styled(inner, STYLES).solutions(PROBLEM, Solution(), 20)) as solutions:
        await anext(solutions)
    assert inner.cancelled > 0
    assert len(asyncio.all_tasks()) == 1


def test_what_they_have_of_the_policy_inside() -> None:
    assert Styled(Repeats(), STYLES).traits == PolicyTraits()
    assert Planned(Repeats()).traits.lacks == ("steps",)
    assert (Styled(Repeats(), STYLES).token_bound(3), Planned(Repeats()).token_bound(3)) == (30, 60)
    assert "{question}" in PLAN


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Styled(Repeats(), []), r"^styles=.*it must not be empty"),
        (lambda: Styled(Repeats(), ["{question}", "Why?"]), r"^styles\[1\]=Why\?: it does not show the question"),
        (lambda: Planned(Repeats(), plan="A plan?"), r"^plan='A plan\?': it does not show the question"),
        (lambda: Planned(Repeats(), solve="{question}"), r"^solve='\{question\}': it does not show the plan"),
        (lambda: Planned(Repeats(), solve="{plan}"), r"^solve='\{plan\}': it does not show the question"),
    ],
)
def test_wrong_settings_are_named(make: object, says: str) -> None:
    with pytest.raises(UserError, match=says):
        make()  # type: ignore[operator]
