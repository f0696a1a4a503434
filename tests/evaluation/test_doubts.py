from __future__ import annotations

import pytest

from search.majority import Majority
from tests.search.helpers import GivenPolicy, GivenVerifier
from tts.core import Problem, SearchResult
from tts.evaluation.runner import Runner
from tts.evaluation.solving import Solving
from tts.evaluation.summary import rows
from tts.tasks.grading import MathGrader

HANGS = r"\sin(9^{9^{9^{9}}})"


@pytest.mark.parametrize(
    ("answer", "counts"),
    [
        ("5", {"failures": 0, "unsure": 0}),
        ("6", {"failures": 0, "unsure": 0}),
        ("about 5 more of them", {"failures": 0, "unsure": 1}),
        (HANGS, {"failures": 1, "unsure": 0}),
    ],
)
async def test_what_grading_could_not_say_is_counted_and_shown(answer: str, counts: dict[str, int]) -> None:
    grader = MathGrader(timeout=1)

    async def search(problem: Problem) -> SearchResult:
        return await Majority(1).search(problem, GivenPolicy([answer], [0]), GivenVerifier([]), grader)

    for _ in range(2):  # a grader that has said so before says so again, in each run
        outcome = await Runner(Solving(search, grader, 1), None).run(iter([Problem("p", "?", r"\sqrt{25}")]), {})
        assert outcome.summary["grading"] == counts
        shown = [figure for name, figure, _ in rows(outcome.tally, outcome.summary) if name == "grading"]
        assert shown == [f"{count}" for count in counts.values() if count]
    await grader.close()
