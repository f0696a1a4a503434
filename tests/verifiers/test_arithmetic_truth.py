"""The truth of arithmetic steps as a verifier."""

from __future__ import annotations

import random

import pytest

from tts.core import Problem, Solution
from tts.core.errors import UserError
from tts.embedded.student import first_error, solve
from tts.tasks.arithmetic import ArithmeticTask, Story
from verifiers.arithmetic_truth import ArithmeticTruth


async def test_it_scores_up_to_the_first_wrong_step() -> None:
    rng, wrong = random.Random(0), 0
    for problem in ArithmeticTask(size=30).problems():
        steps = tuple(solve(Story.from_problem(problem), rng))
        expected = first_error(problem, steps)
        verdict = await ArithmeticTruth().verify(problem, Solution("\n\n".join(steps), steps, "stop"))
        right = len(steps) if expected is None else expected
        wrong += expected is not None
        assert verdict.scores == (1.0,) * right + (0.0,) * (expected is not None)
        # A prefix before the error is right as far as it goes.
        prefix = Solution("\n\n".join(steps), steps, "stop").prefix(right)
        assert (await ArithmeticTruth().verify(problem, prefix)).scores == (1.0,) * right
    assert 5 < wrong < 30


async def test_other_problems_are_refused() -> None:
    with pytest.raises(UserError, match="problem p is not one of the generated arithmetic task"):
        await ArithmeticTruth().verify(Problem("p", "1 + 1?", "2"), Solution("2", ("2",), "stop"))
