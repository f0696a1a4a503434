"""What a problem asks of the engines, in a few segments: the unit of the streamed simulation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from tts.budget import Role
from tts.engines.simulated.gpu import Rates

_STRETCHES, _GROUPS = 12, 4
"""A problem of more stretches is cut into so many groups, in which those of the same roles are taken together."""


@dataclass(frozen=True, slots=True)
class Part:
    """Equal sequences of one role that run at the same time.

    Attributes:
        sequences: Their mean number, more than 0.
        tokens: What each of them generates, a mean.
        prompt_tokens: Of all their prompts, what no prefix cache holds.
    """

    sequences: float
    tokens: float
    prompt_tokens: float


Segment = Mapping[Role, Part]
"""Parts that run side by side; the next segment begins when all have ended."""
Load = Sequence[Segment]
"""A problem, from its beginning to its end."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample of a problem that has all the slots it can use.

    Attributes:
        begun: When it was asked for, in seconds.
        ended: When its last token was generated, or it was cancelled.
    """

    begun: float
    ended: float


@dataclass(slots=True)
class _Stretch:
    """A time in which the same roles are at work.

    Attributes:
        seconds: Its length.
        busy: The seconds of all its sequences together, by role.
    """

    seconds: float
    busy: dict[Role, float]

    def add(self, seconds: float, busy: Mapping[Role, float]) -> None:
        """Adds a time in which these roles are at work."""
        self.seconds += seconds
        for role, more in busy.items():
            self.busy[role] += more


def load(samples: Mapping[Role, Sequence[Sample]], ticks: Mapping[Role, float], prompts: Mapping[Role, float]) -> Load:
    """Returns the load of a problem.

    Work and length are kept, as are the times in which a role waits for the other; how many sequences run at a time is
    the mean of a stretch, and in searches of many rounds neighbouring ones are taken together.

    Args:
        samples: The problem's samples by role.
        ticks: Seconds of a token, by role.
        prompts: Prompt tokens that no cache holds, by role.
    """
    stretches = list(_stretches(samples))
    size = 1 if len(stretches) <= _STRETCHES else -(-len(stretches) // _GROUPS)
    whole = {role: sum(sample.ended - sample.begun for sample in all_) for role, all_ in samples.items()}
    return [
        {
            role: Part(busy / stretch.seconds, stretch.seconds / ticks[role], prompts[role] * busy / whole[role])
            for role, busy in stretch.busy.items()
        }
        for first in range(0, len(stretches), size)
        for stretch in _together(stretches[first : first + size])
    ]


def _stretches(samples: Mapping[Role, Sequence[Sample]]) -> Iterator[_Stretch]:
    """Yields the stretches of a problem in order; times in which nothing runs are left out."""
    changes = [
        change
        for role, all_ in samples.items()
        for sample in all_
        for change in ((sample.begun, role, 1), (sample.ended, role, -1))
    ]
    running = dict.fromkeys(samples, 0)
    stretch = _Stretch(0.0, {})
    for (at, role, by), (until, *_) in pairwise(sorted(changes)):
        running[role] += by
        seconds = until - at
        busy = {role: number * seconds for role, number in running.items() if number}
        if seconds <= 0 or not busy:
            continue
        if stretch.busy.keys() != busy.keys():
            if stretch.busy:
                yield stretch
            stretch = _Stretch(0.0, dict.fromkeys(busy, 0.0))
        stretch.add(seconds, busy)
    if stretch.busy:
        yield stretch


def _together(stretches: Sequence[_Stretch]) -> Iterator[_Stretch]:
    """Yields one stretch for all of those in which the same roles are at work, in the order of the first."""
    found: dict[tuple[Role, ...], _Stretch] = {}
    for stretch in stretches:
        one = found.setdefault(tuple(stretch.busy), _Stretch(0.0, dict.fromkeys(stretch.busy, 0.0)))
        one.add(stretch.seconds, stretch.busy)
    yield from found.values()


def with_prompts(loads: Sequence[Load], factors: Mapping[Role, float]) -> list[Load]:
    """Returns loads with so many times the prompt tokens, by role."""
    return [
        [
            {role: replace(part, prompt_tokens=part.prompt_tokens * factors[role]) for role, part in segment.items()}
            for segment in load
        ]
        for load in loads
    ]


@dataclass(frozen=True)
class Demand:
    """What problems ask of a role, means per problem.

    Attributes:
        tokens: Tokens that it generates.
        prompt_tokens: Prompt tokens that no cache holds.
    """

    tokens: float
    prompt_tokens: float


def demand(loads: Sequence[Load], role: Role) -> Demand:
    """Returns what problems ask of a role."""
    parts = [segment[role] for load in loads for segment in load if role in segment]
    tokens = sum(part.sequences * part.tokens for part in parts)
    return Demand(tokens / len(loads), sum(part.prompt_tokens for part in parts) / len(loads))


def alone(load: Load, rates: Mapping[Role, Rates]) -> float:
    """Returns the nanoseconds that a problem takes if each of its sequences has a replica to itself, but for prompts."""
    return sum(max(part.tokens * rates[role].tick(1) for role, part in segment.items()) for segment in load)
