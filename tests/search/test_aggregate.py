"""Aggregation, with policies whose replies are a known function of what they are shown."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from policies.aggregation_prompt import CHOOSE, IMPROVE
from policies.base import BasePolicy
from search.aggregate import Aggregate
from search.aggregation import showing
from tests.search.helpers import GivenVerifier, PlainGrader
from tts.core import Problem, SearchResult, Solution
from tts.core.errors import UserError
from tts.core.traits import PolicyTraits
from tts.runtime.capabilities import check_needs

PROBLEM = Problem("p", "What {solutions} is {it}?", "1")
CONF = Path(__file__).resolve().parents[2] / "conf" / "search"


@dataclass
class Reader(BasePolicy):
    """Writes the given answers first, and then `reply` of the answers that it is shown."""

    answers: Sequence[int]
    reply: Callable[[list[int], int], str]
    shown: list[list[int]] = field(default_factory=list)
    limit: int = 10**6
    traits = PolicyTraits(lacks=("steps",))

    async def solutions(
        self, problem: Problem, prefix: Solution, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        for index in range(first, first + n):
            await asyncio.sleep(0)
            if index >= self.limit:
                return
            if problem == PROBLEM:
                text = f"<think>7 or \\boxed{{7}}</think>It is \\boxed{{{self.answers[index]}}}"
            else:
                members = [int(answer) for answer in re.findall(r"It is \\boxed{(\d+)}", problem.question)]
                self.shown.append(members)
                text = self.reply(members, index)
            yield Solution(text, (text,), "stop", index)


async def run(strategy: Aggregate, policy: Reader) -> SearchResult:
    return await strategy.search(PROBLEM, policy, GivenVerifier([(0.5,)] * 99), PlainGrader())


def best(members: list[int], index: int) -> str:
    return f"It is \\boxed{{{max(members)}}}"


def named(members: list[int], index: int) -> str:
    return f"First I thought Judgment: 9. Judgment: {members.index(max(members)) + 1}"


ANSWERS = st.lists(st.integers(0, 99), min_size=2, max_size=12)


@given(ANSWERS, st.integers(1, 5), st.booleans(), st.integers(0, 9))
async def test_windows_lose_no_member_so_that_what_is_best_is_found(
    answers: list[int], k: int, chooses: bool, seed: int
) -> None:
    """GenSelect and GenSynthesis with an oracle: right if any candidate is."""
    k, rounds, left = min(k + 1, len(answers)), [], len(answers)
    while left > 1:
        left = -(-left // k)
        rounds.append(left)
    settings = {"reply": "choice", "prompt": CHOOSE} if chooses else {}
    policy = Reader(answers, named if chooses else best)
    strategy = Aggregate(len(answers), tuple(rounds), k, "windows", seed=seed, **settings)
    result = await run(strategy, policy)
    assert result.answer == str(max(answers))
    assert len(policy.shown) + len(answers) == strategy.samples
    assert [len(members) for members in policy.shown][: rounds[0]] == [k] * rounds[0]


@given(ANSWERS, st.integers(1, 4), st.integers(1, 3), st.integers(0, 9))
async def test_random_members_are_k_different_ones_of_the_population(
    answers: list[int], k: int, rounds: int, seed: int
) -> None:
    """RSA; a reply that repeats one of its members keeps the population within the first."""
    answers = list(dict.fromkeys(answers))
    k, n = min(k, len(answers)), len(answers)
    policy = Reader(answers, lambda members, index: f"It is \\boxed{{{members[index % len(members)]}}}")
    result = await run(Aggregate(n, (n,) * rounds, k, seed=seed), policy)
    assert all(len(members) == k for members in policy.shown)
    assert all(len(set(members)) == k for members in policy.shown[:n])
    assert {candidate.answer for candidate in result.candidates} <= set(map(str, answers))
    assert len(result.candidates) == n
    again = Reader(answers, policy.reply)
    assert (await run(Aggregate(n, (n,) * rounds, k, seed=seed), again)).candidates == result.candidates
    assert again.shown == policy.shown


async def test_conclusions_are_shown_without_the_reasoning() -> None:
    texts: dict[str, list[str]] = {}
    for shows in ("solution", "conclusion"):
        policy = Reader([1, 2, 3], best)
        questions: list[str] = []
        inner = policy.solutions

        async def spied(problem: Problem, *of: object) -> AsyncGenerator[Solution, None]:
            questions.append(problem.question)  # noqa: B023
            async for solution in inner(problem, *of):  # type: ignore[arg-type]  # noqa: B023
                yield solution

        policy.solutions = spied  # type: ignore[assignment, method-assign]
        assert (await run(Aggregate(3, (1,), shows=shows), policy)).answer == "3"
        texts[shows] = questions[1:]
    assert "<think>" in texts["solution"][0]
    assert "think" not in texts["conclusion"][0]


@given(ANSWERS, st.integers(0, 20))
async def test_the_budget_ends_it_with_the_population_that_there_is(answers: list[int], limit: int) -> None:
    n = len(answers)
    result = await run(Aggregate(n, (n, 2), 2), Reader(answers, best, limit=limit))
    assert (result.answer is None) == (limit == 0)
    assert result.answer is None or int(result.answer) in answers


@pytest.mark.parametrize("form", ["{}", "Attempt {}", "\\boxed{{{}}}", "**NUMBER {}**", "$\\boxed{{Attempt {}}}$"])
async def test_forms_in_which_a_reply_names_a_member(form: str) -> None:
    policy = Reader([1, 2, 3], lambda members, index: f"Judgment: {form.format(members.index(2) + 1)}")
    assert (await run(Aggregate(3, (1,), reply="choice", prompt=CHOOSE), policy)).answer == "2"


async def test_a_reply_that_names_nobody_keeps_the_first_member_shown() -> None:
    policy = Reader([1, 2, 3], lambda members, index: "Judgment: none. Judgment: 4")
    result = await run(Aggregate(3, (1,), members="windows", reply="choice", prompt=CHOOSE), policy)
    assert result.answer == str(policy.shown[0][0])


@pytest.mark.parametrize("rounds", [(1,), (2, 1), (3, 3, 3)])
async def test_replies_that_are_cut_do_not_replace_finished_solutions(rounds: tuple[int, ...]) -> None:
    class Cut(Reader):
        async def solutions(self, problem: Problem, *of: object) -> AsyncGenerator[Solution, None]:
            async for solution in super().solutions(problem, *of):  # type: ignore[arg-type]
                yield solution if problem == PROBLEM else replace(solution, text="I think", finish_reason="length")

    assert (await run(Aggregate(4, rounds), Cut([7, 7, 7, 7], best))).answer == "7"


async def test_scores_select_among_the_last_population() -> None:
    policy = Reader([1, 2, 3, 4], lambda members, index: f"It is \\boxed{{{index}}}")
    verifier = GivenVerifier([(index / 10,) for index in range(9)])
    strategy = Aggregate(4, (3,), 2, selection="argmax")
    assert strategy.verifies
    assert (await strategy.search(PROBLEM, policy, verifier, PlainGrader())).answer == "6"
    assert sorted(verifier.asked) == [4, 5, 6]


def test_the_question_keeps_the_problems_braces_and_its_earlier_turns() -> None:
    asked = showing(PROBLEM, IMPROVE, ["a {problem}", "b"])
    assert asked.question.startswith("What {solutions} is {it}?")
    assert "Attempt 1:\na {problem}\n\nAttempt 2:\nb" in asked.question
    turns = [{"role": "system", "content": "s"}, {"role": "user", "content": "x"}]
    talk = showing(Problem("p", messages=turns), IMPROVE, ["a"])
    assert talk.messages is not None
    assert (talk.messages[0], len(talk.messages)) == (turns[0], 2)
    assert talk.question.startswith("x\n")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n": 3, "k": 4, "rounds": (2,)}, r"n=3: a population is at least as large as k=4"),
        ({"n": 3, "rounds": ()}, r"rounds=\[\]: it must not be empty"),
        ({"n": 3, "rounds": (2,), "reply": "choice"}, r"rounds=\[2\]: with reply=choice the last is 1"),
        ({"n": 3, "rounds": (2, 0)}, r"rounds\[1\]=0: at least 1"),
        ({"n": 3, "rounds": (2,), "k": 0}, r"k=0: at least 1"),
        ({"n": 0, "rounds": (2,)}, r"n=0: at least 1"),
        ({"n": 3, "rounds": (2,), "prompt": "{problem}"}, r"put \{solutions\} into it"),
        ({"n": 3, "rounds": (2,), "prompt": "{solutions}"}, r"put \{problem\} into it"),
        ({"n": 3, "rounds": (2,), "reply": "best"}, "choose one of solution, choice"),
    ],
)
def test_what_cannot_be_aggregated_is_refused(settings: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Aggregate(**settings)


def test_recorded_solutions_cannot_reply() -> None:
    class Recorded(Reader):
        traits = PolicyTraits(lacks=("steps", "revisions"))

    with pytest.raises(UserError, match="revises a solution"):
        check_needs(Aggregate(2, (1,)), Recorded([], best), GivenVerifier([]))


def test_the_prompts_of_the_files_are_the_defaults() -> None:
    found = {name: yaml.safe_load((CONF / f"{name}.yaml").read_text())["prompt"] for name in ("aggregate", "genselect")}
    assert found == {"aggregate": IMPROVE, "genselect": CHOOSE}
