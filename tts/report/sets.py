"""Sets of problems over which runs are compared; sorts runs into their order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tts.report.runs import Run

Problems = tuple[tuple[str, str], ...]


def sets(runs: Sequence[Run]) -> list[tuple[Problems, list[Run]]]:
    """Returns the sets of problems, each with its runs sorted into the order of its problems.

    Problems are the same if their id and question are. Runs of the same problems form a set. A run with unique problems
    (it was interrupted, or one of its lines is damaged) joins the set with which it shares the most, if that is at
    least half of them.
    """
    same: dict[frozenset[tuple[str, str]], list[Run]] = {}
    for run in runs:
        if run.problems:
            same.setdefault(frozenset(run.problems), []).append(run)
    found: dict[frozenset[tuple[str, str]], list[Run]] = {}
    for key in sorted(same, key=lambda key: (-min(len(same[key]), 2), -len(key))):
        near = [other for other in found if len(same[key]) == 1 and 2 * len(key & other) >= len(key)]
        found.setdefault(max(near, key=lambda other: len(key & other), default=key), []).extend(same[key])
    numbers = {id(run): number for number, run in enumerate(runs)}
    ordered = [(of[0].problems, sorted(of, key=lambda run: numbers[id(run)])) for of in found.values()]
    return [(problems, [_aligned(run, problems) for run in of]) for problems, of in ordered]


def _aligned(run: Run, problems: Problems) -> Run:
    """Returns a run restricted to some problems, in their order."""
    if run.problems == problems:
        return run
    place = {key: number for number, key in enumerate(run.problems)}
    order = [place.get(key) for key in problems]
    numbers = np.array([0 if number is None else number for number in order])
    there = np.array([number is not None for number in order])
    beyond = len(run.problems) - int(there.sum())
    new = {key: number for number, key in enumerate(problems)}
    return replace(
        run,
        problems=problems,
        there=there,
        answers=tuple(None if number is None else run.answers[number] for number in order),
        levels=tuple(None if number is None else run.levels[number] for number in order),
        rows=tuple("null" if number is None else run.rows[number] for number in order),
        correct=np.where(there, run.correct[numbers], np.nan),
        majority=np.where(there, run.majority[numbers], np.nan),
        right=np.where(there, run.right[numbers], 0.0),
        candidates=np.where(there, run.candidates[numbers], 0.0),
        failed=there & run.failed[numbers],
        costs={unit: np.where(there, cost[numbers], np.nan) for unit, cost in run.costs.items()},
        policy_costs={unit: np.where(there, cost[numbers], np.nan) for unit, cost in run.policy_costs.items()},
        rules={rule: np.where(there, right[numbers], np.nan) for rule, right in run.rules.items()},
        # Its candidates are a pool only if all are of the set's problems.
        pool=None if beyond else run.pool,
        pooled=() if beyond else tuple(new[run.problems[number]] for number in run.pooled),
        beyond=beyond,
    )
