"""A plan of a run: composed, checked, simulated, written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tts.budget import ROLES, Role
from tts.config.build import Config
from tts.core.annotations import fit
from tts.core.errors import UserError
from tts.core.events import Progressed, emit
from tts.core.settings import NonNegativeInt, PositiveFloat, PositiveInt, Text, refused
from tts.engines.simulated.gpu import Rates
from tts.evaluation.job import SearchJob, compose_job
from tts.files.writing import write_whole, writing
from tts.planning.alone import Slice, search_alone
from tts.planning.deadline import fewest
from tts.planning.engines import Places, engines_of
from tts.planning.fleet import Division, Fleet
from tts.planning.prediction import Prediction, Row
from tts.planning.simulator import Simulator, checked
from tts.planning.sizes import Sizes, read_sizes, with_lengths, with_steps
from tts.runtime.resources import Resources

_SETTINGS: Mapping[str, object] = {
    "gpus": PositiveInt | None,
    "deadline": PositiveFloat | None,
    "problems": PositiveInt | None,
    "gpus_per_replica": Mapping[str, PositiveInt],
    "slice": PositiveInt,
    "exact": NonNegativeInt,
    "sizes": Text | None,
}
"""The types of settings outside of groups."""
_PROPORTIONS = 100
"""Replicas of each role, or more, among which the proportions of policy and verifier are found."""
_FITS = 3
"""How often the simulated models' lengths are corrected."""


@dataclass(frozen=True)
class PlanJob:
    """The objects of one plan.

    Attributes:
        config: The resolved configuration.
        identity: Its hash.
        search: The run that is planned.
        places: The places of its engines, by role.
        rates: The speed of a replica, by role.
        gpus_per_replica: What it needs, by role.
        problems: Number of problems.
        sliced: Number of those that are searched to find out what they ask of the engines.
        sizes: Measured lengths of texts; None for those of the configuration.
    """

    config: Config
    identity: str
    search: SearchJob
    places: Places
    rates: Mapping[Role, Rates]
    gpus_per_replica: Mapping[Role, int]
    problems: int
    sliced: int
    sizes: Sizes | None

    @property
    def exact(self) -> bool:
        """Whether all problems are simulated sample by sample."""
        count = self.search.task.count()
        return self.problems <= self.config["exact"] and (count is None or self.problems <= count)

    async def run(self, resources: Resources, folder: Path) -> Prediction:
        """Simulates, and writes `plan.json`.

        Raises:
            UserError: No number of GPUs makes the deadline.
            RunError: The search of a problem failed, or the disk is full.
        """
        config, found = await self._slice(resources)
        samples = self.search.search.strategy.samples
        fleet = Fleet(self.rates, self.gpus_per_replica, found.loads, samples, config["in_flight"])
        simulator = await self._simulator(config, fleet)
        gpus, deadline = config["gpus"], config["deadline"]
        rows: Sequence[Row]
        if deadline is None:
            rows = [await simulator.row(division) for division in fleet.around(gpus, self.problems)]
            best = min(range(len(rows)), key=lambda at: rows[at].wall_s)
        else:
            rows, best = await fewest(simulator, deadline)
        demand = {role: asdict(simulator.fleet.demand(role)) for role in self.rates}
        made = Prediction(self.problems, deadline, rows, best, demand, found.lengths, simulator.check)
        with writing(folder):
            about = {"config_hash": self.identity, "seed": config["seed"]}
            write_whole(folder / "plan.json", json.dumps({**made.to_json(), **about}, indent=2) + "\n")
        return made

    async def _slice(self, resources: Resources) -> tuple[Config, Slice]:
        """Returns the configuration, with texts as long as was measured, and the slice that it gives."""
        config = self.config
        if self.sizes is not None:
            config = with_steps(config, self.places, self.sizes)
            for _ in range(_FITS):
                found = await search_alone(config, self.places, self.sliced, resources)
                config = with_lengths(config, self.places, self.sizes.lengths, found.lengths)
        return config, await search_alone(config, self.places, self.sliced, resources)

    async def _simulator(self, config: Config, fleet: Fleet) -> Simulator:
        exact = Simulator(config, self.places, fleet, self.problems, None, _tell)
        if self.exact:
            return exact
        divisions = fleet.divisions(config["gpus"] or _PROPORTIONS * fleet.fewest)
        return await checked(exact, divisions[fleet.balanced(divisions)])


def _tell(division: Division, done: int, tokens: int, at_s: float) -> None:
    said = " + ".join(f"{replicas:,} {role}" for role, replicas in division.items())
    emit(lambda: Progressed("", at_s, done, 0, tokens, said))


def compose_plan(config: Config, identity: str, resources: Resources) -> PlanJob:
    """Creates and checks everything that a plan needs; simulates nothing.

    Args:
        config: The resolved configuration.
        identity: Its hash.
        resources: Creates engines, sandbox and grader.

    Raises:
        UserError: The configuration cannot work.
    """
    for name, annotation in _SETTINGS.items():
        fit(config[name], annotation, name)
    gpus, deadline, each = config["gpus"], config["deadline"], config["gpus_per_replica"]
    if (gpus is None) == (deadline is None):
        raise UserError(
            "gpus, deadline: a plan needs one of them: gpus=8 divides so many GPUs, deadline=3600 finds the fewest that "
            "are done within so many seconds"
        )
    if each.keys() != set(ROLES):
        raise refused("gpus_per_replica", each, f"it takes {' and '.join(ROLES)}")
    if config["clock"] != "virtual":
        raise refused("clock", config["clock"], "a plan is made in virtual time; leave it out")
    if limits := [name for name, limit in (config["budget"] or {}).get("run", {}).items() if limit and name[0] != "_"]:
        raise refused(
            f"budget.run.{limits[0]}",
            config["budget"]["run"][limits[0]],
            "a plan is of a run that does all of its problems; leave it out",
        )
    config = {**config, "bank": None}
    # By the clock, engines that take real time would be told to be simulated; a plan has more to say of them.
    search = compose_job({**config, "executor": None, "clock": "real"}, identity, resources)
    places, rates = engines_of(search.search)
    needed = sum(each[role] for role in rates)
    if gpus is not None and gpus < needed:
        raise refused("gpus", gpus, f"a replica each of {' and '.join(rates)} needs {needed} GPUs (gpus_per_replica)")
    sizes = None if config["sizes"] is None else read_sizes(config["sizes"])
    count = search.task.count()
    problems = count if config["problems"] is None else config["problems"]
    if problems is None:
        raise refused("problems", None, f"task '{search.task.name}' does not say how many it has; give their number")
    sliced = min(config["slice"], problems, *(() if count is None else (count,)))
    return PlanJob(config, identity, search, places, rates, each, problems, sliced, sizes)
