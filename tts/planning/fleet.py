"""GPUs divided between the roles, and the least time that any division needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tts.budget import Role
from tts.engines.simulated.gpu import Rates
from tts.planning.load import Demand, Load, alone, demand
from tts.runtime.parts import enough_problems

Division = Mapping[Role, int]
"""Replicas of each role."""

PATH, IN_FLIGHT = "path", "in_flight"
"""What bounds a run besides the replicas of a role: the problem that takes longest, and how many may be in progress."""

_MANY = 200_000
"""Problems. Simulating so many takes a quarter of a minute."""


@dataclass(frozen=True)
class Fleet:
    """A kind of replicas for each role, and what problems ask of them.

    Attributes:
        rates: The speed of a replica.
        gpus: The GPUs that it takes.
        loads: The problems' loads, each equally often.
        samples: Solutions of a problem.
        in_flight: What the user limits of what is in progress at once: `problems`, and samples by role.
    """

    rates: Mapping[Role, Rates]
    gpus: Mapping[Role, int]
    loads: Sequence[Load]
    samples: int
    in_flight: Mapping[str, int | None]

    @property
    def fewest(self) -> int:
        """The GPUs of one replica each."""
        return sum(self.gpus[role] for role in self.rates)

    def size(self, division: Division) -> int:
        """Returns the GPUs of a division."""
        return sum(self.gpus[role] * replicas for role, replicas in division.items())

    def slots(self, role: Role, replicas: int) -> int:
        """Returns how many sequences of a role run at once."""
        slots, limit = self.rates[role].max_sequences * replicas, self.in_flight.get(role)
        return slots if limit is None else min(slots, limit)

    def problems(self, division: Division) -> int:
        """Returns how many problems are in progress at once.

        Unless the user says so, as many as in a run, which is one for a slot up to some number, and beyond that twice as
        many as fill all slots with their solutions.
        """
        given = self.in_flight.get("problems")
        if given is not None:
            return given
        slots = [self.slots(role, replicas) for role, replicas in division.items()]
        return max(enough_problems(slots), -(-2 * sum(slots) // max(2, self.samples)))

    def bounds(self, division: Division, problems: int) -> dict[str, float]:
        """Returns the least times of a run, in nanoseconds: no schedule is faster than any of them.

        Returns:
            By role, with its replicas' batches always full; `PATH`, if the longest problem had them to itself; `IN_FLIGHT`,
            if all problems had, where the user limits how many are in progress.
        """
        times = [alone(load, self.rates) for load in self.loads]
        found = {role: problems * self._work(role) / replicas for role, replicas in division.items()}
        found[PATH] = max(times[:problems])
        if (limit := self.in_flight.get("problems")) is not None:
            found[IN_FLIGHT] = problems * sum(times) / len(times) / limit
        return found

    def demand(self, role: Role) -> Demand:
        """Returns what a problem asks of a role."""
        return demand(self.loads, role)

    def _work(self, role: Role) -> float:
        asked = self.demand(role)
        return self.rates[role].work(asked.tokens, asked.prompt_tokens)

    def divisions(self, gpus: int) -> list[Division]:
        """Returns the ways to divide GPUs, from the fewest replicas of the first role to the most; none of too few GPUs."""
        first, *others = self.rates
        if not others:
            return [{first: gpus // self.gpus[first]}] if gpus >= self.fewest else []
        (second,) = others
        return [
            {first: replicas, second: (gpus - replicas * self.gpus[first]) // self.gpus[second]}
            for replicas in range(1, (gpus - self.gpus[second]) // self.gpus[first] + 1)
        ]

    def balanced(self, divisions: Sequence[Division]) -> int:
        """Returns the number of the division with the lowest bound by its replicas."""
        work = {role: self._work(role) for role in self.rates}
        return min(range(len(divisions)), key=lambda at: max(work[role] / n for role, n in divisions[at].items()))

    def around(self, gpus: int, problems: int) -> list[Division]:
        """Returns those to simulate: the balanced one and up to four beside it, two of many problems; steps are a tenth."""
        divisions = self.divisions(gpus)
        middle = self.balanced(divisions)
        step = max(1, min(middle + 1, len(divisions) - middle) // 10)
        steps = (0, step) if problems > _MANY else (0, step, 2 * step)
        return [division for at, division in enumerate(divisions) if abs(at - middle) in steps]

    def small(self, division: Division, most: int) -> Division:
        """Returns a division of about the same proportions with at most so many replicas."""
        share = min(1.0, most / sum(division.values()))
        return {role: max(1, int(replicas * share)) for role, replicas in division.items()}


def cycled(loads: Sequence[Load], problems: int) -> Iterator[Load]:
    """Yields the loads of so many problems."""
    for number in range(problems):
        yield loads[number % len(loads)]
