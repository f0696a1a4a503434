"""The fewest GPUs that are done in time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tts.core.errors import UserError
from tts.planning.fleet import IN_FLIGHT, PATH
from tts.planning.prediction import Row
from tts.planning.simulator import Simulator

_CLOSE = 0.01
"""The share by which the answer may be above the fewest: simulating a million problems takes a minute."""
_MORE, _FASTER = 1.5, 0.98
"""So many times the GPUs must make a run so many times as long, or none will do."""


async def fewest(simulator: Simulator, deadline: float) -> tuple[Sequence[Row], int]:
    """Returns the divisions that were simulated, from few GPUs to many, and the number of the first that is done in time.

    Each is the balanced division of a number of GPUs. The search begins with what the work needs: no smaller number can do.

    Args:
        simulator: Predicts divisions.
        deadline: Seconds.

    Raises:
        UserError: No number of GPUs is done in time.
        RunError: The search of a problem failed.
    """
    fleet, rows = simulator.fleet, dict[int, Row]()

    async def late(gpus: int) -> bool:
        if gpus not in rows:
            divisions = fleet.divisions(gpus)
            rows[gpus] = await simulator.row(divisions[fleet.balanced(divisions)])
        return rows[gpus].wall_s > deadline

    high = _least(simulator, deadline)
    low = high - 1
    while await late(high):
        if not _worth_more(rows, high):
            raise _never(rows[high].wall_s, f"{high:,} GPUs take that long, and more do not help", deadline)
        low, high = high, max(high + 1, math.ceil(high * min(2.0, rows[high].wall_s / deadline)))
    while high - low > max(1, _CLOSE * high):
        middle = (low + high) // 2
        low, high = (middle, high) if await late(middle) else (low, middle)
    found = [rows[gpus] for gpus in sorted(rows)]
    return found, found.index(rows[high])


def _least(simulator: Simulator, deadline: float) -> int:
    """Returns the fewest GPUs whose bounds allow the deadline.

    Raises:
        UserError: What does not depend on their number does not.
    """
    fleet = simulator.fleet

    def bounds(gpus: int) -> Mapping[str, float]:
        divisions = fleet.divisions(gpus)
        return fleet.bounds(divisions[fleet.balanced(divisions)], simulator.problems)

    low, high = fleet.fewest - 1, fleet.fewest
    said = {
        PATH: "the longest problem takes that long on any",
        IN_FLIGHT: "in_flight.problems={problems} allow no more",
    }
    for name, reason in said.items():
        least = bounds(high).get(name, 0.0) / 1e9
        if least > deadline:
            raise _never(least, reason.format(**fleet.in_flight), deadline)
    while max(bounds(high).values()) > deadline * 1e9:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if max(bounds(middle).values()) <= deadline * 1e9 else (middle, high)
    return high


def _worth_more(rows: Mapping[int, Row], gpus: int) -> bool:
    """Returns whether a run became faster with the last GPUs that were added."""
    earlier = [row.wall_s for fewer, row in rows.items() if fewer * _MORE <= gpus]
    return not earlier or rows[gpus].wall_s < _FASTER * min(earlier)


def _never(seconds: float, reason: str, deadline: float) -> UserError:
    return UserError(
        f"deadline={deadline:g}: no number of GPUs is done within that; the least is about {seconds:,.1f} s: {reason}"
    )
