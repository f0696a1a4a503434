"""Shared by benchmarks on problems: the loop over seeds and problems, figures of the outcomes and their intervals."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np

from benchmarks.setup import FASTER, opened
from tts.budget import Scope
from tts.core import Problem
from tts.core.errors import RunError
from tts.evaluation.job import SearchJob
from tts.files.jsonl_log import MemoryLog
from tts.statistics import bootstrap
from tts.statistics.metrics import first_error_score

_AT_ONCE = 32


@dataclass
class Outcome:
    """The outcome of one problem: rates, and (label, prediction) pairs of first errors by kind of verification."""

    rates: dict[str, float] = field(default_factory=dict)
    first_errors: dict[str, list[tuple[int | None, int | None]]] = field(default_factory=dict)


Figure = Callable[[Sequence[Outcome]], float]
Study = Callable[[Problem], Awaitable[Outcome]]


def outcomes_of(
    seed: int, split: str, problems: int, overrides: Sequence[str], prepare: Callable[[SearchJob], Study]
) -> list[Outcome]:
    """Returns the outcomes of one seed, which has its own problems, samples and votes.

    Args:
        seed: Seed of the problems and of the samples.
        split: Split of the embedded task.
        problems: Number of problems.
        overrides: As for `python -m tts`.
        prepare: Returns the function that studies a problem, given the job with its models loaded.
    """
    chosen = [f"task.size={problems}", f"task.split={split}", f"task.seed={seed}", f"seed={seed}"]

    async def run() -> list[Outcome]:
        log = MemoryLog[Outcome]()
        async with opened(*FASTER, *chosen, *overrides) as (runtime, job):
            await runtime.batch(
                job.task.problems(), prepare(job), log, lambda problem: problem.id, failed=_failed, in_flight=_AT_ONCE
            )
        return log.records

    found = asyncio.run(run())
    print(f"seed {seed} done", flush=True)
    return found


def _failed(problem: Problem, message: str, _: Scope) -> NoReturn:
    """Ends the benchmark, since figures without the problem would be wrong."""
    raise RunError(f"problem {problem.id}: {message}")


def interval(outcomes: Sequence[Outcome], figure: Figure) -> tuple[float, float]:
    """Returns the 95 % bootstrap interval of a figure over problems."""
    drawn = bootstrap.Bootstrap().weights(len(outcomes), 0).astype(int)
    every = range(len(outcomes))
    draws = [figure([outcomes[index] for index in np.repeat(every, row)]) for row in drawn]
    return bootstrap.interval(np.array(draws)) or (float("nan"), float("nan"))


def rate(name: str) -> Figure:
    """Returns the figure for the mean of a rate."""
    return lambda outcomes: statistics.fmean(outcome.rates[name] for outcome in outcomes)


def f1(name: str) -> Figure:
    """Returns the figure for a first-error F1."""

    def figure(outcomes: Sequence[Outcome]) -> float:
        pairs = [pair for outcome in outcomes for pair in outcome.first_errors[name]]
        return first_error_score([label for label, _ in pairs], [prediction for _, prediction in pairs]).f1

    return figure


def difference(a: Figure, b: Figure) -> Figure:
    """Returns the paired difference of two figures."""
    return lambda outcomes: a(outcomes) - b(outcomes)
