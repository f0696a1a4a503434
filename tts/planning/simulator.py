"""Predicts what a division of the GPUs takes: exactly for few problems, streamed for many."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from tts.config.build import Config
from tts.planning.engines import Places
from tts.planning.exact import Simulated, simulate
from tts.planning.fleet import Division, Fleet, cycled
from tts.planning.load import with_prompts
from tts.planning.pool import Pool
from tts.planning.prediction import Check, Row
from tts.planning.stream import Stream

_PILOT = 8
"""Replicas at most of the exact simulation that the streamed one is checked by."""
_BREATH = 2000
"""Problems between two moments in which an interruption is heard."""

Tell = Callable[[Division, int, int, float], object]
"""Told of a division, the problems done, the tokens generated and the seconds since its beginning, now and then."""


async def stream(fleet: Fleet, division: Division, problems: int, tell: Tell) -> Simulated:
    """Returns what a run takes by the streamed simulation; its time and memory do not depend on the number of replicas."""
    pools = {
        role: Pool(fleet.rates[role], replicas, fleet.slots(role, replicas)) for role, replicas in division.items()
    }
    tokens = sum(fleet.demand(role).tokens for role in division)
    run = Stream(cycled(fleet.loads, problems), pools, fleet.problems(division))
    for done in run.run():
        if done % _BREATH == 0:
            tell(division, done, round(done * tokens), run.now / 1e9)
            await asyncio.sleep(0)
    return Simulated(run.now / 1e9, {role: pool.work / 1e9 for role, pool in pools.items()}, {})


@dataclass(frozen=True)
class Simulator:
    """Predicts divisions of one run.

    Attributes:
        config: The configuration.
        places: The places of the engines.
        fleet: The replicas and the loads.
        problems: Number of problems.
        check: None if it simulates exactly.
        tell: Told of the progress of a streamed simulation.
    """

    config: Config
    places: Places
    fleet: Fleet
    problems: int
    check: Check | None
    tell: Tell

    async def row(self, division: Division) -> Row:
        """Simulates a division.

        Raises:
            RunError: The search of a problem failed.
        """
        if self.check is None:
            run = await simulate(self.config, self.places, self.fleet, division, self.problems)
        else:
            run = await stream(self.fleet, division, self.problems, self.tell)
        bounds = self.fleet.bounds(division, self.problems)
        bound = max(bounds, key=lambda name: bounds[name])
        return Row(
            division,
            self.fleet.size(division),
            run.wall_s,
            3600 * self.problems / run.wall_s,
            {role: run.work_s[role] / replicas / run.wall_s for role, replicas in division.items()},
            bound,
            bounds[bound] / 1e9,
            self.fleet.problems(division),
        )


async def checked(exact: Simulator, division: Division) -> Simulator:
    """Returns a simulator of many problems; its loads have the prompt tokens that were computed in a small exact simulation.

    Args:
        exact: An exact one, whose loads are of problems that have the caches to themselves.
        division: The division that a small one is made of, of the same proportions.

    Raises:
        RunError: The search of a problem failed.
    """
    fleet = exact.fleet
    size, small = len(fleet.loads), fleet.small(division, _PILOT)
    run = await simulate(exact.config, exact.places, fleet, small, size)
    factors = {
        role: tokens / (fleet.demand(role).prompt_tokens * size or 1.0) for role, tokens in run.prompt_tokens.items()
    }
    fleet = replace(fleet, loads=with_prompts(fleet.loads, factors))
    streamed = await stream(fleet, small, size, exact.tell)
    return replace(exact, fleet=fleet, check=Check(size, small, run.wall_s, streamed.wall_s))
