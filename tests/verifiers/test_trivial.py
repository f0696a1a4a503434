"""The verifiers that know nothing."""

from __future__ import annotations

from tts.core import Problem, Solution
from verifiers.trivial import AlwaysCorrect, Random

STEPS = tuple(f"step {number}" for number in range(2000))


async def test_always_correct_finds_nothing() -> None:
    verdict = await AlwaysCorrect().verify(Problem("", "?"), Solution("", STEPS))
    assert verdict.first_error() is None
    assert len(verdict.scores) == len(STEPS)


async def test_random_finds_its_threshold_of_the_steps_wrong() -> None:
    scores = (await Random(seed=1).verify(Problem("", "?"), Solution("", STEPS))).scores
    for rate in (0.1, 0.5, 0.8):
        assert abs(sum(score < rate for score in scores if score is not None) / len(STEPS) - rate) < 0.05


async def test_random_is_the_same_every_time_and_knows_nothing_of_what_follows() -> None:
    problem = Problem("", "?")
    whole = (await Random(seed=1).verify(problem, Solution("", STEPS[:9]))).scores
    assert (await Random(seed=1).verify(problem, Solution("", STEPS[:4]))).scores == whole[:4]
    assert (await Random(seed=2).verify(problem, Solution("", STEPS[:9]))).scores != whole
    assert (await Random(seed=1).verify(Problem("", "!"), Solution("", STEPS[:9]))).scores != whole
