"""Problems searched one at a time, on engines without queues: what each of them asks of the engines."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from itertools import islice

from tts.budget import POLICY, VERIFIER, Role, now, scope
from tts.config.build import Config
from tts.core import Problem
from tts.core.errors import RunError
from tts.engines.generating import Completion, Engine, Request
from tts.engines.simulated import SimulatedEngine
from tts.engines.wrapping import WrappingGenerator
from tts.evaluation.job import SearchJob, compose_job
from tts.planning.engines import Places, at, simulated
from tts.planning.load import Load, Sample, load
from tts.runtime.choices import Choices
from tts.runtime.faults import Fault, attempt
from tts.runtime.resources import Resources

_ENDLESS = 1 << 40


class Watched(WrappingGenerator):
    """An engine that notes when its samples begin and end.

    Args:
        engine: The engine.

    Attributes:
        samples: The samples so far, cancelled ones included.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.samples: list[Sample] = []

    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        """As the engine."""
        begun, left = now(), len(request.seeds)
        try:
            async with aclosing(super().generate(request)) as completions:
                async for completion in completions:
                    left -= 1
                    self.samples.append(Sample(begun, now()))
                    yield completion
        finally:
            self.samples += [Sample(begun, now())] * left


@dataclass(frozen=True)
class Lengths:
    """How long a model's texts are, means.

    Attributes:
        solution: Tokens of a candidate solution; None if none was sampled by an engine.
        verification: Tokens of a vote on a step; None if there were none.
    """

    solution: float | None
    verification: float | None


@dataclass(frozen=True)
class Slice:
    """Some problems of a task, each searched alone.

    Attributes:
        loads: Their loads.
        lengths: Of their texts.
    """

    loads: Sequence[Load]
    lengths: Lengths


async def search_alone(config: Config, places: Places, problems: int, resources: Resources) -> Slice:
    """Searches the first problems of the task one after the other; each has all the slots it can use, and no text waits.

    Args:
        config: The configuration.
        places: The places of the engines, by role.
        problems: How many.
        resources: Creates what is needed.

    Raises:
        RunError: The search of a problem failed.
    """
    config = {**config, "executor": None, "in_flight": dict.fromkeys(config["in_flight"])}
    engines: dict[Role, tuple[SimulatedEngine, Watched]] = {}
    for role, (place, *_) in places.items():
        engine = simulated(resources.engine(_endless(at(config, f"{place}.engine")), f"{place}.engine"), place)
        engines[role] = engine, Watched(engine)
    given = {place: engines[role][1] for role, all_ in places.items() for place in all_}
    job = compose_job(config, "", resources, Choices(engines=given))
    await job.search.start(resources)
    found = [
        await _search(job, number, problem, engines)
        for number, problem in enumerate(islice(job.task.problems(), problems))
    ]
    solutions, verifications = zip(*(one for _, one in found), strict=True)
    return Slice([load for load, _ in found], Lengths(_mean(solutions), _mean(verifications)))


def _endless(engine: Config) -> Config:
    """Returns an engine whose sequences do not slow each other down; its cache holds all that it has seen."""
    tick = engine["tick_base"] + engine["tick_per_sequence"]
    slots = {"replicas": 1, "max_sequences": _ENDLESS, "cache_tokens": _ENDLESS}
    return {**engine, **slots, "tick_base": tick, "tick_per_sequence": 0.0, "prefill": 0.0}


_Total = tuple[float, int]
"""Tokens, and of how many texts."""


async def _search(
    job: SearchJob, number: int, problem: Problem, engines: Mapping[Role, tuple[SimulatedEngine, Watched]]
) -> tuple[Load, tuple[_Total, _Total]]:
    """Returns a problem's load, and the lengths of its solutions and verifications."""
    before = {role: _computed(engine) for role, (engine, _) in engines.items()}
    for _, watched in engines.values():
        watched.samples = []
    with scope("problem", job.search.budget.problem, number, problem.question) as meter:
        result = await attempt(partial(job.search.search, problem))
    if isinstance(result, Fault):
        raise RunError(f"problem {problem.id}: {result.message}; a plan needs a search that does not fail")
    ticks = {role: engine.rates.tick(1) / 1e9 for role, (engine, _) in engines.items()}
    samples = {role: watched.samples for role, (_, watched) in engines.items() if watched.samples}
    prompts = {role: _computed(engine) - before[role] for role, (engine, _) in engines.items()}
    solutions = [candidate.solution.tokens for candidate in result.candidates] if POLICY in engines else []
    judged = meter.usage[VERIFIER]
    totals = (float(sum(solutions)), len(solutions)), (float(judged.completion_tokens), judged.verifications)
    return load(samples, ticks, prompts), totals


def _computed(engine: SimulatedEngine) -> int:
    stats = engine.stats
    return stats.prompt_tokens - stats.cached_prompt_tokens


def _mean(totals: Sequence[_Total]) -> float | None:
    number = sum(count for _, count in totals)
    return sum(tokens for tokens, _ in totals) / number if number else None
