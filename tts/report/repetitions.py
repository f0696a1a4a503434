"""Runs that differ only in their seed: merged into one row of the report, their mean per problem."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tts.report.runs import Run, mean_of


def merged(runs: Sequence[Run]) -> list[Run]:
    """Returns the runs, merging those that differ only in their seed.

    Two runs with the same seed are not repetitions and stay separate.

    Args:
        runs: Runs over the same problems, in the same order.
    """
    groups: dict[tuple[str, int], list[Run]] = {}
    times: Counter[tuple[str, int | None]] = Counter()
    for run in runs:
        key = run.source.setting, run.source.seed
        groups.setdefault((run.source.setting, times[key]), []).append(run)
        times[key] += 1
    return [_mean(of) if len(of) > 1 else of[0] for of in groups.values()]


def _mean(runs: Sequence[Run]) -> Run:
    """Returns the mean of runs, with the name and the configuration of the first."""
    first = runs[0]
    return replace(
        first,
        there=np.any([run.there for run in runs], axis=0),
        answers=_first([run.answers for run in runs]),
        levels=_first([run.levels for run in runs]),
        correct=mean_of([run.correct for run in runs]),
        majority=mean_of([run.majority for run in runs]),
        right=np.sum([run.right for run in runs], axis=0),
        candidates=np.sum([run.candidates for run in runs], axis=0),
        failed=np.any([run.failed for run in runs], axis=0),
        costs={unit: mean_of([run.costs[unit] for run in runs]) for unit in first.costs},
        policy_costs={unit: mean_of([run.policy_costs[unit] for run in runs]) for unit in first.policy_costs},
        rules={
            rule: mean_of([run.rules[rule] for run in runs]) for rule in first.rules if all(run.rules for run in runs)
        },
        pool=None,
        pooled=(),
        seeds=tuple(runs),
    )


def _first(columns: Sequence[Sequence[str | None]]) -> tuple[str | None, ...]:
    return tuple(next((value for value in values if value is not None), None) for values in zip(*columns, strict=True))
