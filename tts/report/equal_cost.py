"""Runs against two controls at equal cost: self-consistency and best of n, of as many samples as the run's cost buys.

A control is a recorded pool of the same policy with the same settings: its accuracy at every n is estimated from it, its
cost is n times that of one sample. Between two n it is that of choosing at random, for every problem, between the two such
that the mean cost is the run's. Source of the question: arXiv 2504.01005 (votes of a verifier against self-consistency),
2510.20272 (guided search against best-of-n).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tts.report.comparison import Comparison
from tts.report.curves import rule_name
from tts.report.estimates import Family, Line
from tts.report.pools import Floats
from tts.report.runs import Run
from tts.report.statistics import NOISE

_DETECTABLE = 1.959964 + 0.841621
"""Standard errors of a difference that is found with probability .8: its 95 % interval is on one side of 0."""


@dataclass(frozen=True)
class Control:
    """A rule over n samples of a pool.

    Attributes:
        name: How it is called.
        family: The family of its runs.
        policy: The policy that its samples are of, as `tts.report.sources.Source.policy`.
        rule: The rule, a key of `tts.core.selection.SELECTIONS`.
        line: Its accuracy at each n, by problem.
        cost: (P,) cost of one sample: of the policy alone where the rule reads no scores.
    """

    name: str
    family: str
    policy: str
    rule: str
    line: Line
    cost: Floats


@dataclass(frozen=True)
class EqualCost:
    """A run against a control that costs as much.

    Attributes:
        run: The run's number.
        control: The control's name.
        n: Samples of the control that cost as much as the run: not whole, since costs are means.
        bought: The control's cost as a share of the run's: below 1 if all samples of the pool cost less.
        mean: The run's accuracy minus the control's.
        low, high: Its 95 % interval by the paired bootstrap, in which the costs vary as well.
        error: Its standard error; like the interval None if all problems differ by the same, for example a single one.
        count: Number of problems.
    """

    run: int
    control: str
    n: float
    bought: float
    mean: float
    low: float | None
    high: float | None
    error: float | None
    count: int

    @property
    def needed(self) -> int | None:
        """Problems that would tell a difference of this size with probability .8; None if there is no difference."""
        if abs(self.mean) < NOISE or self.error is None:
            return None
        return math.ceil(self.count * (_DETECTABLE * self.error / self.mean) ** 2)

    @property
    def told(self) -> bool:
        """Whether the interval is on one side of 0."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high

    @property
    def verdict(self) -> str:
        """The result in words."""
        if self.told:
            return "better" if self.mean > 0 else "worse"
        if self.error is None:
            same = "the same on every problem"
            return same if abs(self.mean) < NOISE else f"not told apart: the difference is {same}"
        least = _DETECTABLE * self.error
        needed = "" if self.needed is None else f"; one of this size takes about {_round(self.needed):,}"
        return f"not told apart: {self.count:,} problems tell differences from {least:.3f}{needed}"


def equal_costs(comparison: Comparison, families: Sequence[Family]) -> list[EqualCost]:
    """Returns every run against every control of the same policy but itself; the controls in turn, best runs first.

    Runs whose figures are no results, and those that cost less than one sample, are left out.
    """
    pooled = {comparison.runs[family.run].source.family for family in families if family.lines}
    found = []
    for control in _controls(comparison, families):
        pairs = [
            _against(comparison, number, control)
            for number, run in enumerate(comparison.runs)
            if comparison.ranked[number] and run.source.policy == control.policy and not _itself(run, control, pooled)
        ]
        found += sorted((pair for pair in pairs if pair is not None), key=lambda pair: -pair.mean)
    return found


def _controls(comparison: Comparison, families: Sequence[Family]) -> Iterator[Control]:
    """Yields for each policy the majority and the scored selection of the pool with the most samples."""
    seen: set[tuple[str, bool]] = set()
    for family in sorted(families, key=lambda family: -max((line.at[-1] for line in family.lines), default=0)):
        run = comparison.runs[family.run]
        policy = run.source.policy
        for rule, costs in (("majority", run.policy_costs), (run.source.selection, run.costs)):
            line = next((line for line in family.lines if line.rule == rule), None)
            kind = policy, rule == "majority"
            if line is None or kind in seen or not comparison.ranked[family.run] or comparison.axis not in costs:
                continue
            seen.add(kind)
            name = "self-consistency" if rule == "majority" else rule_name(rule)
            yield Control(name, run.source.family, policy, rule, line, costs[comparison.axis] / _samples(run))


def _itself(run: Run, control: Control, pooled: set[str]) -> bool:
    """Whether a run is of the control's kind: any pool's majority, or the same rule over the same verifier's scores."""
    same = pooled if control.rule == "majority" else {control.family}
    return run.source.selection == control.rule and run.source.family in same


def _samples(run: Run) -> Floats:
    """Returns the number of candidates of each problem, over seeds their mean; NaN if there are none."""
    counts = run.candidates / len(run.parts)
    return np.where(counts > 0, counts, np.nan)


def _against(comparison: Comparison, number: int, control: Control) -> EqualCost | None:
    run = comparison.runs[number]
    cost, values = run.costs[comparison.axis], control.line.values
    shared = np.flatnonzero(~np.isnan(run.correct + cost + control.cost + values.sum(1)))
    if not len(shared):
        return None
    weights = comparison.weights[:, shared]
    weights = weights[weights.sum(1) > 0]
    weights /= weights.sum(1, keepdims=True)
    spent, per_sample, own = weights @ cost[shared], weights @ control.cost[shared], weights @ run.correct[shared]
    curves = weights @ values[shared]
    n = spent / np.where(per_sample > 0, per_sample, np.nan)
    if not 1 <= n[0] < math.inf:
        return None
    at = np.array(control.line.at, float)
    draws = own - np.array([np.interp(x, at, curve) for x, curve in zip(n, curves, strict=True)])
    bought = float(min(1.0, at[-1] / n[0]))
    found = EqualCost(
        number, control.name, float(min(n[0], at[-1])), bought, float(draws[0]), None, None, None, len(shared)
    )
    differences = run.correct[shared] - np.array([np.interp(n[0], at, curve) for curve in values[shared]])
    if np.ptp(differences) <= NOISE:
        return found  # resamples of them do not differ: that says nothing about other problems
    low, high = np.quantile(draws[1:], (0.025, 0.975))
    return replace(found, low=float(low), high=float(high), error=float(draws[1:].std()))


def _round(number: int) -> int:
    """Returns a number rounded to two digits."""
    return int(float(f"{number:.2g}"))
