"""The minimum score of a right step, and how far a verifier judges: named rules."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
from annotated_types import IsFinite

from tts.core import Problem, Solution, Verdict
from tts.core.settings import OneOf, refused, settings
from tts.core.verifier import Verifier
from tts.judge.judged import NO_ERROR, Judged, counts
from tts.statistics.metrics import Array, harmonic_mean, ratio


@settings
class Threshold:
    """Decides which steps are right.

    Args:
        rule: A key of `RULES`.
        value: A step with a score below it is wrong; the value that `tuned` finds replaces it.
        subset: The subset that `tuned` uses.
        of: What is compared with the value: `scores`, or `differences` between the score of a step and that of the step
            before (the first step's own score), as PRMBench's code reads Skywork's models.
    """

    def __init__(
        self,
        rule: Annotated[str, OneOf(RULES)] = "fixed",
        value: IsFinite[float] = 0.5,
        subset: str | None = None,
        of: Literal["scores", "differences"] = "scores",
    ) -> None:
        if of == "differences" and rule == "greedy":
            raise refused("of", of, "rule=greedy decides by scores; choose rule=fixed")
        if (subset is not None) != (rule == "tuned"):
            raise refused(
                "subset", subset, f"only rule=tuned takes, and needs, a subset to tune on (the rule is {rule})"
            )
        self.rule, self.value, self.subset, self.of = rule, value, subset, of

    def read(self, judged: Judged) -> Judged:
        """Returns a judged solution with what is compared with the value in place of its scores."""
        return judged.differences if self.of == "differences" else judged

    @property
    def stops(self) -> float | None:
        """The score below which a solution's further steps are not judged, None if all are."""
        return self.value if RULES[self.rule].ask is step_by_step else None

    def check(self, subsets: Mapping[str, Sequence[Judged]]) -> None:
        """Raises UserError if there is nothing to tune on, or nothing else to test on."""
        if self.subset is None:
            return
        if self.subset not in subsets:
            raise refused("subset", self.subset, f"no such subset; the task has {', '.join(subsets)}")
        if len(subsets) < 2:
            raise refused(
                "subset",
                self.subset,
                "it is the only subset, and a threshold cannot be tested on the subset it was tuned on; add one or set "
                "rule=fixed",
            )
        if not counts(subsets[self.subset], of=True) or not counts(subsets[self.subset], of=False):
            raise refused("subset", self.subset, "tuning needs both erroneous and correct solutions")

    async def ask(self, verifier: Verifier, problem: Problem, solution: Solution) -> Verdict:
        """Returns the verdict that the decision needs."""
        return await RULES[self.rule].ask(verifier, problem, solution, self.value)

    def choose(self, subsets: Mapping[str, Sequence[Judged]]) -> float:
        """Returns the threshold to decide with."""
        return RULES[self.rule].choose(self, subsets)


async def whole(verifier: Verifier, problem: Problem, solution: Solution, value: float) -> Verdict:
    """Judges all steps at once."""
    return await verifier.verify(problem, solution)


async def step_by_step(verifier: Verifier, problem: Problem, solution: Solution, value: float) -> Verdict:
    """Judges one step at a time and ends with the first negative one, as RLHFlow's evaluation does.

    Each step is judged assuming that all steps before it are right; steps after the first negative one cost nothing. If
    a verifier gives a prefix a single reward, it is the score of the prefix's last step.
    """
    verdict: Verdict | None = None
    rewards: tuple[float | None, ...] = ()
    for end in range(1, len(solution.steps) + 1):
        steps = solution.steps[:end]
        # The prefix must not reveal how long the solution will be.
        finish = solution.finish_reason if end == len(solution.steps) else "step"
        verdict = await verifier.verify(problem, Solution("\n\n".join(steps), steps, finish), verdict)
        rewards += verdict.scores[:1]
        if verdict.first_error(value) is not None:
            break
    assert verdict is not None
    return replace(verdict, scores=rewards) if len(verdict.scores) == 1 else verdict


def given(threshold: Threshold, subsets: Mapping[str, Sequence[Judged]]) -> float:
    """Returns the configured value."""
    return threshold.value


def tuned(threshold: Threshold, subsets: Mapping[str, Sequence[Judged]]) -> float:
    """Returns the value with the best ProcessBench F1 on the named subset (EurusPRM's is tuned on GSM8K).

    Decisions only change at scores, so the middle of each gap between two scores is tried. Among equally good values
    the widest gap wins, then the lowest value.
    """
    judged = subsets[threshold.subset or ""]
    scores = np.unique([score for one in judged for score in one.usable])
    if not len(scores):
        return threshold.value
    edges = np.r_[scores[0] - 1, scores, scores[-1] + 1]
    middles, widths = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    f1 = harmonic_mean(*(_share_decided_rightly(judged, erroneous, middles) for erroneous in (True, False)))
    if np.isnan(f1).any():  # an interrupted run may not have reached both kinds
        return threshold.value
    best = np.flatnonzero(f1 >= f1.max() - 1e-12)
    return float(middles[best[np.argmax(widths[best])]])


def _right_between(one: Judged) -> tuple[float, float]:
    """Returns the interval (low, high] of thresholds that decide the solution correctly; (inf, inf) if empty."""
    if not one.usable:
        return math.inf, math.inf
    if one.label == NO_ERROR:
        return -math.inf, min(one.usable)
    own = one.scores[one.label] if one.label < len(one.scores) else None
    before = min((score for score in one.scores[: one.label] if score is not None), default=math.inf)
    return (own, before) if own is not None and own < before else (math.inf, math.inf)


def _share_decided_rightly(judged: Sequence[Judged], erroneous: bool, thresholds: Array) -> Array:
    """Returns the share of the erroneous, or correct, solutions that each threshold decides correctly."""
    intervals = np.array([_right_between(one) for one in judged if (one.label != NO_ERROR) == erroneous]).reshape(-1, 2)
    low, high = np.sort(intervals, axis=0).T
    hits = np.searchsorted(low, thresholds, "left") - np.searchsorted(high, thresholds, "left")
    return ratio(hits.astype(float), np.full(len(thresholds), float(len(intervals))))


@dataclass(frozen=True)
class Rule:
    """A decision rule: how the verifier is used, and how the threshold is chosen."""

    ask: Callable[[Verifier, Problem, Solution, float], Awaitable[Verdict]]
    choose: Callable[[Threshold, Mapping[str, Sequence[Judged]]], float]


RULES: dict[str, Rule] = {
    "fixed": Rule(whole, given),
    "tuned": Rule(whole, tuned),
    "greedy": Rule(step_by_step, given),
}
"""The rules by name."""
