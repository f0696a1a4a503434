"""An engine as one role of one run uses it: limited in flight, ordered by problem, and charged to the budget."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from dataclasses import replace

from tts.budget import LimitReached, Role, Scope, Usage, charge, current, in_time, now
from tts.core.errors import EngineError
from tts.core.settings import NonNegativeFloat, PositiveInt, settings
from tts.engines.base import BaseEngine
from tts.engines.generating import Completion, Engine, Request, generating
from tts.engines.priority_semaphore import PrioritySemaphore
from tts.engines.scoring import ScoreRequest, ScoreRows, ScoringEngine
from tts.engines.wrapping import E, WrappingEngine, WrappingGenerator, WrappingScorer


@settings
class Metered(WrappingEngine[E]):
    """Limits the work in flight to what the engine can use, serves earlier problems first, and charges the cost.

    Args:
        engine: The engine, possibly shared with other roles.
        role: The role to charge.
        limit: Samples or score requests in flight; None for the engine's capacity.
        prompt_price: Dollars per million prompt tokens.
        completion_price: Dollars per million completion tokens.

    Attributes:
        priced: Whether both prices are known.
        prices: Dollars per prompt token and per completion token.
    """

    def __init__(
        self,
        engine: E,
        role: Role,
        limit: PositiveInt | None = None,
        prompt_price: NonNegativeFloat | None = None,
        completion_price: NonNegativeFloat | None = None,
    ) -> None:
        super().__init__(engine)
        self._role: Role = role
        self._slots = PrioritySemaphore(limit or engine.capacity)
        self._capacity = limit or engine.capacity
        self.priced = prompt_price is not None and completion_price is not None
        self.prices = (prompt_price or 0.0) / 1e6, (completion_price or 0.0) / 1e6

    @property
    def capacity(self) -> int:
        """The limit."""
        return self._capacity

    async def close(self) -> None:
        """Closes the engine, also for its other users."""
        self._slots.fail(EngineError(f"the engine '{self.name}' was closed"))
        await super().close()


class MeteredGenerator(Metered[Engine], WrappingGenerator):
    """An engine that generates, metered."""

    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        """Yields the completions as they finish.

        Raises:
            EngineError: The request failed permanently.
            LimitReached: The budget was used up before all samples could be started (those in flight were yielded), or
                its time was up.
        """
        scope = current()
        await scope.admit()
        bill = _Bill(self, self._role, len(request.seeds))
        whole = self._slots.take(len(request.seeds))
        slots = _Taken(self._slots, len(request.seeds) if whole else 0)
        source = self.inside.generate(request) if whole else self._in_parts(request, bill, scope)
        try:
            async with aclosing(source) as completions:
                async for completion in completions if scope.deadline is None else in_time(completions, scope):
                    if whole:
                        bill.add(completion)  # before its slot is released: the next taker must see the cost
                        slots.release_one()
                    yield completion
        finally:
            slots.release()
            bill.close()

    async def _in_parts(self, request: Request, bill: _Bill, scope: Scope) -> AsyncGenerator[Completion, None]:
        """Yields the completions of a request whose samples are started as slots become free."""
        finished: asyncio.Queue[Completion | Exception | None] = asyncio.Queue()  # None when a part has ended

        async def run(first: int) -> None:
            part = replace(request, seeds=request.seeds[first : first + self._slots.share])
            try:
                await self._slots.wait(len(part.seeds), scope.order)
                slots = _Taken(self._slots, len(part.seeds))
                try:
                    await scope.admit()  # the wait may have been long
                    async with aclosing(self.inside.generate(part)) as completions:
                        async for completion in completions:
                            bill.add(completion)
                            slots.release_one()
                            finished.put_nowait(replace(completion, index=first + completion.index))
                finally:
                    slots.release()
                finished.put_nowait(None)
            except Exception as error:
                finished.put_nowait(error)

        parts = [asyncio.create_task(run(first)) for first in range(0, len(request.seeds), self._slots.share)]
        running, reached = len(parts), None
        try:
            while running:
                item = await finished.get()
                if isinstance(item, Completion):
                    yield item
                    continue
                running -= 1
                if isinstance(item, LimitReached):
                    reached = item
                elif item is not None:
                    raise item
            if reached is not None:
                raise reached
        finally:
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)


class MeteredScorer(Metered[ScoringEngine], WrappingScorer):
    """An engine that scores, metered."""

    async def score(self, request: ScoreRequest) -> ScoreRows:
        """Returns the engine's scores; all tokens count as prompt tokens, cached and banked ones included.

        Raises:
            EngineError: The request failed permanently.
            LimitReached: The budget is used up, or its time was up before the request ended.
        """
        scope = current()
        await scope.admit()
        await self._slots.wait(1, scope.order)
        started = now()
        try:
            await scope.admit()  # the wait may have been long
            (rows,) = [rows async for rows in in_time(_only(self.inside.score(request)), scope)]
        finally:
            self._slots.release()
            charge(self._role, Usage(seconds=now() - started))
        tokens = len(request.tokens)
        flops, dollars = 2.0 * (self.parameters or 0) * tokens, self.prices[0] * tokens
        charge(self._role, Usage(calls=1, prompt_tokens=tokens, flops=flops, dollars=dollars))
        return rows


class _Taken:
    """Slots that were taken for a request's samples."""

    def __init__(self, slots: PrioritySemaphore, left: int) -> None:
        self._slots = slots
        self._left = left

    def release_one(self) -> None:
        """Releases the slot of a sample that has finished."""
        self._left -= 1
        self._slots.release()

    def release(self) -> None:
        """Releases those of the samples that have not."""
        self._slots.release(self._left)


class _Bill:
    """The cost of a request, charged as its samples finish."""

    def __init__(self, gate: MeteredGenerator, role: Role, samples: int) -> None:
        self._gate = gate
        self._role: Role = role
        self._left = samples
        self._calls = 1
        self._charged = now()

    def add(self, completion: Completion) -> None:
        """Charges a sample, and the time since the last one; the prompt is charged once, with the first sample."""
        prompt, sampled = self._calls * completion.prompt_tokens, completion.completion_tokens
        prompt_price, completion_price = self._gate.prices
        usage = Usage(
            calls=self._calls,
            samples=1,
            prompt_tokens=prompt,
            completion_tokens=sampled,
            generated_tokens=0 if completion.recorded else sampled,
            flops=2.0 * (self._gate.parameters or 0) * (prompt + sampled),
            dollars=prompt_price * prompt + completion_price * sampled,
            seconds=self._seconds(),
        )
        self._calls = 0
        self._left -= 1
        charge(self._role, usage)

    def close(self) -> None:
        """Charges the time of samples that did not finish."""
        if self._left:
            charge(self._role, Usage(seconds=self._seconds()))

    def _seconds(self) -> float:
        since, self._charged = self._charged, now()
        return self._charged - since


MeteredEngine = MeteredGenerator | MeteredScorer


async def _only(result: Awaitable[ScoreRows]) -> AsyncGenerator[ScoreRows, None]:
    yield await result


def metered(
    engine: BaseEngine,
    role: Role,
    limit: int | None = None,
    prompt_price: float | None = None,
    completion_price: float | None = None,
) -> MeteredEngine:
    """Returns an engine of either kind, metered; arguments as for `Metered`.

    Raises:
        SettingError: It is of neither kind, or the limit or a price is out of range.
    """
    if isinstance(engine, ScoringEngine):
        return MeteredScorer(engine, role, limit, prompt_price, completion_price)
    return MeteredGenerator(generating(engine), role, limit, prompt_price, completion_price)
