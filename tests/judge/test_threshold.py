"""The rules by which a threshold is chosen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.judge.test_figures import judgements
from tts.core import Problem, Solution, Verdict
from tts.judge.figures import figures
from tts.judge.judged import Judged, counts
from tts.judge.threshold import Threshold
from tts.statistics.bootstrap import point


def f1(judged: list[Judged], threshold: float) -> float:
    return point(figures(judged, threshold, np.ones((1, len(judged))))["f1"]) or 0.0


@given(st.lists(judgements(), min_size=2, max_size=12))
@settings(max_examples=80, deadline=None)
def test_no_threshold_is_better_than_the_tuned_one(judged: list[Judged]) -> None:
    threshold = Threshold("tuned", subset="a")
    found = threshold.choose({"a": judged})
    if counts(judged, of=True) and counts(judged, of=False):
        best = max(f1(judged, value / 8) for value in range(-1, 10))
        assert f1(judged, found) == pytest.approx(best)
    else:
        assert f1(judged, found) == 0.0


def test_a_tuned_threshold_lies_in_the_widest_gap() -> None:
    judged = [Judged((True,), False, (0.9,)), Judged((False,), False, (0.2,)), Judged((True,), False, (0.8,))]
    assert Threshold("tuned", subset="a").choose({"a": judged}) == pytest.approx(0.5)


class Prefixes:
    """Tells how long the beginnings were that it was asked about, and scores by a step's text."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, str, int]] = []

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        self.asked.append((len(solution.steps), solution.finish_reason, 0 if prior is None else len(prior.scores)))
        return Verdict(tuple(float(step) for step in solution.steps))


@pytest.mark.parametrize(("value", "judged"), [(0.5, 3), (0.05, 4), (0.85, 2), (0.95, 1)])
async def test_greedy_ends_with_the_first_negative_step(value: float, judged: int) -> None:
    verifier = Prefixes()
    steps = (".9", ".8", ".1", ".7")
    verdict = await Threshold("greedy", value).ask(verifier, Problem("", ""), Solution("", steps, "stop"))
    assert len(verdict.scores) == judged
    ends = ["step", "step", "step", "stop"]
    assert verifier.asked == [(n + 1, ends[n], n) for n in range(judged)]


class Wholes(Prefixes):
    """Gives each beginning one reward, that of its last step."""

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        verdict = await super().verify(problem, solution, prior)
        return Verdict(verdict.scores[-1:])


@pytest.mark.parametrize(("value", "first"), [(0.5, 2), (0.05, None), (0.85, 1), (0.95, 0)])
async def test_greedy_places_the_reward_of_a_beginning_at_its_end(value: float, first: int | None) -> None:
    steps = (".9", ".8", ".1", ".7")
    verdict = await Threshold("greedy", value).ask(Wholes(), Problem("", ""), Solution("", steps, "stop"))
    assert verdict.first_error(value) == first
