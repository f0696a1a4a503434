"""The simulated student who checks his sums: what he writes, and the truth of it."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.checking_student import CheckingStudent
from tts.core import Problem, Solution
from tts.core.errors import ProblemError, UserError
from tts.embedded.checking_student import rights
from tts.embedded.student import final_answer, first_error
from tts.tasks.arithmetic import ArithmeticTask, Story

PROBLEMS = list(ArithmeticTask(size=20).problems())
problems, seeds = st.sampled_from(PROBLEMS), st.integers(0, 10_000)


def solutions(student: CheckingStudent, problem: Problem, n: int = 1, prefix: Solution | None = None) -> list[Solution]:
    async def gather() -> list[Solution]:
        return [solution async for solution in student.solutions(problem, prefix or Solution(), n)]

    return asyncio.run(gather())


@given(problems, seeds)
def test_a_solution_whose_steps_are_all_right_has_the_right_answer(problem: Problem, seed: int) -> None:
    (solution,) = solutions(CheckingStudent(seed, finds=1.0), problem)
    story = Story.from_problem(problem)
    if all(rights(story, solution.steps)):
        assert final_answer(solution.steps) == story.totals[-1]


@given(problems, seeds)
def test_without_checks_the_first_error_is_that_of_the_other_student(problem: Problem, seed: int) -> None:
    (solution,) = solutions(CheckingStudent(seed, check=0.0), problem)
    right = rights(Story.from_problem(problem), solution.steps)
    assert first_error(problem, solution.steps) == (None if all(right) else right.index(False))


@given(problems, seeds, st.integers(0, 6))
def test_a_prefix_is_continued_and_keeps_its_steps(problem: Problem, seed: int, k: int) -> None:
    student = CheckingStudent(seed)
    (whole,) = solutions(student, problem)
    prefix = whole.prefix(min(k, len(whole.steps) - 1))
    first, second = solutions(student, problem, 2, prefix)
    again = solutions(student, problem, 2, prefix)[1]
    assert first.steps[: len(prefix.steps)] == second.steps[: len(prefix.steps)] == prefix.steps
    assert first.text.startswith(prefix.text)
    assert second == again
    assert final_answer(first.steps) is not None


@given(problems, seeds)
def test_step_by_step_he_ends_with_an_answer_too(problem: Problem, seed: int) -> None:
    student, solution = CheckingStudent(seed), Solution()

    async def step(prefix: Solution) -> Solution:
        (next_one,) = [each async for each in student.steps(problem, prefix, 1)]
        return next_one

    while solution.finish_reason == "step":
        longer = asyncio.run(step(solution))
        assert longer.steps[:-1] == solution.steps
        solution = longer
    assert final_answer(solution.steps) is not None


def test_errors_are_repaired_and_right_answers_have_wrong_steps() -> None:
    found = [
        (problem, each) for problem in PROBLEMS for each in solutions(CheckingStudent(finds=1.0, check=1.0), problem, 8)
    ]
    repaired = [
        each
        for problem, each in found
        if not all(rights(story := Story.from_problem(problem), each.steps))
        and final_answer(each.steps) == story.totals[-1]
    ]
    assert repaired
    for each in repaired:
        assert any(step.startswith("Check") for step in each.steps)


def test_what_he_cannot_solve_is_said() -> None:
    with pytest.raises(UserError, match="task=arithmetic"):
        solutions(CheckingStudent(), Problem("p", "What is 2 + 2?"))
    with pytest.raises(ProblemError, match="that it began"):
        solutions(CheckingStudent(), PROBLEMS[0], 1, Solution("Hello", ("Hello",)))
