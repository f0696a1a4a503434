"""Limits that several processes spend together: each spends what it was granted, and asks for more when that is used up.

The parts granted never add up to more than the limit, and each process checks its own before every request. So all of them
together exceed the limit by no more than their requests in flight, as one process does.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tts.budget.scope import MEASURES, Bound, Scope

Ask = Callable[[Sequence[str]], Awaitable[Mapping[str, float]]]
"""From the names of limits whose granted part is used up to what else is granted of each; nothing if nothing is left."""

_REAL = ("flops", "dollars")
"""Limits in fractions."""
_PARTS = 100
"""The smallest part of a limit that one of several processes is granted, unless less is left: 1 / this / their number."""


async def _nothing(_: Sequence[str]) -> Mapping[str, float]:
    return {}


@dataclass
class SharedScope(Scope):
    """The meter of what this process does of a piece of work whose limits other processes spend, too.

    Attributes:
        ask: Asks for more.
        granted: What this process was granted of each limit so far.
    """

    ask: Ask = _nothing
    granted: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Prepares the comparisons; nothing is granted yet."""
        super().__post_init__()
        self._asking: asyncio.Future[None] | None = None
        self._over = False
        self._renew = self.renew

    def _own_bounds(self) -> Iterator[Bound]:
        for name, scope, measure, bound in super()._own_bounds():
            key = name.rpartition(".")[2]
            if key == "seconds":
                yield name, scope, measure, bound
            else:
                self.granted.setdefault(key, 0.0)
                yield name, scope, lambda scope, key=key: self._owed(scope, key), 0.0  # type: ignore[misc]

    def _owed(self, scope: Scope, key: str) -> float:
        return MEASURES[key](scope) - self.granted[key]

    def _used_up(self) -> list[str]:
        return [key for key in self.granted if self._owed(self, key) >= 0]

    async def renew(self) -> None:
        """Asks for more of the limits that are used up here, and returns when there is some, or none to be had."""
        while not self._over and (keys := self._used_up()):
            if self._asking is None or self._asking.done():
                self._asking = asyncio.ensure_future(self._receive(keys))
            # Whoever is cancelled meanwhile has not asked for himself alone.
            await asyncio.shield(self._asking)

    async def _receive(self, keys: Sequence[str]) -> None:
        more = await self.ask(keys)
        for key, amount in more.items():
            self.granted[key] += amount
        self._over = not all(more.get(key) for key in keys)


class Ledger:
    """Grants parts of a scope's limits to those who spend them elsewhere; each part is smaller than the one before.

    What a process that died was granted stays spent: nobody knows how much of it was.

    Args:
        scope: The scope; what was charged to it before is not granted again.
        spenders: Their number.
    """

    def __init__(self, scope: Scope, spenders: int) -> None:
        self._scope = scope
        self._spenders = spenders
        bounds = {key: getattr(scope.limits, key) for key in MEASURES if key != "seconds"}
        self._bounds: dict[str, float] = {key: bound for key, bound in bounds.items() if bound is not None}
        self._left = {key: max(0.0, bound - MEASURES[key](scope)) for key, bound in self._bounds.items()}

    @property
    def limits(self) -> bool:
        """Whether there is something to grant: a limit."""
        return bool(self._bounds)

    def grant(self, keys: Sequence[str]) -> dict[str, float]:
        """Returns what is granted of limits; the scope counts as used up once nothing is left of one of them."""
        granted = {}
        for key in keys:
            part = max(self._left[key] / (2 * self._spenders), self._bounds[key] / (_PARTS * self._spenders))
            granted[key] = min(self._left[key], part if key in _REAL else math.ceil(part))
            self._left[key] -= granted[key]
            if not granted[key]:
                self._scope.use_up(key)
        return granted
