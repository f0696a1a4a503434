"""Laws of budget forcing."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

from policies.base import BasePolicy
from search.budget_forcing import BudgetForcing, continued
from tests.search.helpers import GivenVerifier, PlainGrader
from tests.search.toy import PROBLEM
from tests.search.traces import FORCE
from tts.core import Problem, Solution
from tts.core.policy import GREEDY
from tts.core.solution import Written
from tts.core.traits import PolicyTraits


@dataclass
class Ponderer(BasePolicy):
    """Thinks better of its answer each time it waits; solutions of a cut index never end."""

    cuts: frozenset[int] = frozenset()
    read: list[str] = field(default_factory=list)
    traits = PolicyTraits()

    async def solutions(
        self, problem: Problem, prefix: Solution, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        for index in range(first, first + n):
            self.read.append(prefix.text)
            text = f"{prefix.text} \\boxed{{{prefix.text.count('Wait') + index * 10}}}"
            yield Solution(text, (text,), "length" if index in self.cuts else "stop", index, 5)

    async def steps(self, problem: Problem, prefix: Solution, n: int, first: int = 0) -> AsyncGenerator[Solution, None]:
        assert first == GREEDY or n == 1
        self.read.append(prefix.text)
        yield Solution(f"{prefix.text}7}}", (prefix.text,), "step", first)


@given(st.integers(1, 3), st.integers(0, 3))
async def test_a_solution_that_ends_is_continued_and_keeps_what_it_said(n: int, waits: int) -> None:
    policy, strategy = Ponderer(), BudgetForcing(n, waits)
    result = await strategy.search(PROBLEM, policy, GivenVerifier([]), PlainGrader())
    assert {candidate.answer for candidate in result.candidates} == {str(waits + 10 * i) for i in range(n)}
    assert len(policy.read) == n * (1 + waits) <= strategy.samples
    for candidate in result.candidates:
        assert candidate.solution.text.count("Wait") == waits
    assert not strategy.verifies


async def test_a_solution_that_was_cut_is_made_to_answer() -> None:
    policy = Ponderer(frozenset({0}))
    result = await BudgetForcing(1, 2).search(PROBLEM, policy, GivenVerifier([]), PlainGrader())
    # A text without an end is not continued with "Wait".
    assert result.answer == "7"
    assert policy.read == ["", f" \\boxed{{0}}{FORCE}"]
    assert [node.status for node in result.tree.nodes[1:]] == ["expanded", "finished"]


async def test_a_solution_that_had_ended_keeps_its_answer_if_the_budget_forbids_the_forced_one() -> None:
    class Cut(Ponderer):
        async def solutions(self, problem: Problem, prefix: Solution, *of: int) -> AsyncGenerator[Solution, None]:
            async for solution in super().solutions(problem, prefix, *of):
                yield replace(solution, text=f"{prefix.text} hmm", finish_reason="length") if prefix.text else solution

        async def steps(self, *of: object) -> AsyncGenerator[Solution, None]:
            return
            yield

    result = await BudgetForcing(2, 2).search(PROBLEM, Cut(), GivenVerifier([]), PlainGrader())
    assert [candidate.answer for candidate in result.candidates] == ["0", "10"]


def test_a_prefix_to_wait_on_keeps_what_is_known_of_its_tokens() -> None:
    trace = (Written("abc", -1.0, -1.0, 1.0),)
    assert continued(Solution("abc", ("abc",), "stop", trace=trace), "Wait").trace == trace
