"""A run simulated sample by sample: the search itself, on simulated engines, in virtual time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from tts.budget import Role
from tts.config.build import Config
from tts.core import Problem
from tts.core.errors import RunError
from tts.core.task import Task
from tts.evaluation.job import compose_job
from tts.evaluation.summary import first_errors
from tts.planning.engines import Places, changed, simulated, with_replicas
from tts.planning.fleet import Division, Fleet
from tts.runtime.resources import Resources


@dataclass(frozen=True)
class Simulated:
    """A run that was simulated.

    Attributes:
        wall_s: How long it takes.
        work_s: By role, the seconds that its work takes one replica with an always full batch.
        prompt_tokens: By role, the prompt tokens that no cache held.
    """

    wall_s: float
    work_s: Mapping[Role, float]
    prompt_tokens: Mapping[Role, float]


@dataclass(frozen=True)
class _First:
    """The first problems of a task."""

    task: Task
    problems_: int

    @property
    def name(self) -> str:
        return self.task.name

    def problems(self) -> Iterator[Problem]:
        return islice(self.task.problems(), self.problems_)

    def check(self) -> None:
        self.task.check()

    def count(self) -> int | None:
        return self.problems_


async def simulate(config: Config, places: Places, fleet: Fleet, division: Division, problems: int) -> Simulated:
    """Returns what the first problems of the task take, on replicas that are idle and have empty caches.

    Raises:
        RunError: The search of a problem failed.
    """
    config = with_replicas({**config, "executor": None}, places, division)
    config = changed(config, "in_flight", {"problems": fleet.problems(division)})
    resources = Resources()  # of its own: two divisions share the settings of an engine, but not its cache and counts
    try:
        job = compose_job(config, "", resources)
        engines = {role: simulated(job.search.engines[place].inside, place) for role, (place, *_) in places.items()}
        outcome = await replace(job, task=_First(job.task, problems)).run(resources, None)
        stats = {role: replace(engine.stats) for role, engine in engines.items()}
    finally:
        await resources.close()
    if outcome.tally.n_errors:
        raise RunError(f"{first_errors(outcome.tally)[0]}; a plan needs a search that does not fail")
    computed = {role: one.prompt_tokens - one.cached_prompt_tokens for role, one in stats.items()}
    work = {role: engine.rates.work(stats[role].tokens, computed[role]) / 1e9 for role, engine in engines.items()}
    return Simulated(outcome.summary["wall_s"], work, computed)
