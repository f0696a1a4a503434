"""An engine as one role of one run uses it: how many samples it may have in flight, who goes first, and at what price."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from dataclasses import replace
from itertools import count

from tts.budget import LimitReached, Role, Scope, Usage, charge, current, in_time, now
from tts.core.errors import EngineError, UserError
from tts.core.settings import NonNegativeFloat, PositiveInt, settings
from tts.engines.generating import Completion, Engine, Request
from tts.engines.scoring import ScoreRequest, ScoreRows, ScoringEngine
from tts.engines.wrapping import WrappingEngine


class PrioritySemaphore:
    """A number of places, given to whoever waits with the lowest order, of equals to the first.

    Args:
        limit: How many there are.
    """

    def __init__(self, limit: int) -> None:
        self.free = limit
        # One who wants many neither keeps places empty until there are as many, nor goes on with one at a time.
        self.share = max(1, limit // 8)
        self._waiting: list[tuple[int, int, int, asyncio.Future[None]]] = []
        self._arrivals = count()

    def take(self, wanted: int) -> bool:
        """Takes places if that many are free and nobody waits for them."""
        if self._waiting or self.free < wanted:
            return False
        self.free -= wanted
        return True

    async def wait(self, wanted: int, order: int) -> None:
        """Waits for places; they must not be more than `share`."""
        if self.take(wanted):
            return
        turn = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (order, next(self._arrivals), wanted, turn))
        self.release(0)  # it may go before one who waits for more places
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.release(wanted)
            raise

    def release(self, places: int = 1) -> None:
        """Gives places back."""
        self.free += places
        while self._waiting and (self._waiting[0][3].done() or self._waiting[0][2] <= self.free):
            _, _, wanted, turn = heapq.heappop(self._waiting)
            if not turn.done():
                self.free -= wanted
                turn.set_result(None)

    def fail(self, error: Exception) -> None:
        """Raises an error for everybody who waits."""
        waiting, self._waiting = self._waiting, []
        for *_, turn in waiting:
            if not turn.done():
                turn.set_exception(error)


@settings
class MeteredEngine(WrappingEngine):
    """Passes on no more samples at a time than the engine can use, those of earlier problems first, and charges them.

    Args:
        engine: The engine, possibly shared with other roles.
        role: Whom to charge what it costs.
        limit: Samples in flight; None for the engine's capacity.
        prompt_price: Dollars for a million prompt tokens.
        completion_price: Dollars for a million completion tokens.
        place: Whose engine it is, for messages: a part of the role such as `verifier.of`; None for the role's own.
    """

    def __init__(
        self,
        engine: Engine,
        role: Role,
        limit: PositiveInt | None = None,
        prompt_price: NonNegativeFloat | None = None,
        completion_price: NonNegativeFloat | None = None,
        place: str | None = None,
    ) -> None:
        super().__init__(engine)
        self._role: Role = role
        self._place = place or role
        self._slots = PrioritySemaphore(limit or engine.capacity)
        self._capacity = limit or engine.capacity
        self.priced = prompt_price is not None and completion_price is not None
        self.prices = (prompt_price or 0.0) / 1e6, (completion_price or 0.0) / 1e6

    @property
    def capacity(self) -> int:
        """The limit."""
        return self._capacity

    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        """Yields the completions as they land.

        Raises:
            EngineError: The request failed for good.
            LimitReached: The budget was used up before all samples could be started, those in flight were yielded; or its
                time was up.
        """
        scope = current()
        scope.check()
        bill = _Bill(self, self._role)
        source = (
            self._whole(request, bill) if self._slots.take(len(request.seeds)) else self._in_parts(request, bill, scope)
        )
        started = now()
        try:
            async with aclosing(source) as completions:
                async for completion in completions if scope.deadline is None else in_time(completions, scope):
                    yield completion
        finally:
            charge(self._role, Usage(seconds=now() - started))

    async def _whole(self, request: Request, bill: _Bill) -> AsyncGenerator[Completion, None]:
        """Yields the completions of a request for whose samples places have been taken."""
        left = len(request.seeds)
        try:
            async with aclosing(self._engine.generate(request)) as completions:
                async for completion in completions:
                    bill.add(completion)  # before its place is free: who takes that must know of the cost
                    left -= 1
                    self._slots.release()
                    yield completion
        finally:
            self._slots.release(left)

    async def _in_parts(self, request: Request, bill: _Bill, scope: Scope) -> AsyncGenerator[Completion, None]:
        """Yields the completions of a request whose samples are started as places get free."""
        landed: asyncio.Queue[Completion | Exception | None] = asyncio.Queue()  # None where a part has ended

        async def run(first: int) -> None:
            part = replace(request, seeds=request.seeds[first : first + self._slots.share])
            try:
                await self._slots.wait(len(part.seeds), scope.order)
                if scope.reached() is not None:  # the wait may have been long
                    self._slots.release(len(part.seeds))
                    scope.check()
                async with aclosing(self._whole(part, bill)) as completions:
                    async for completion in completions:
                        landed.put_nowait(replace(completion, index=first + completion.index))
                landed.put_nowait(None)
            except Exception as error:
                landed.put_nowait(error)

        parts = [asyncio.create_task(run(first)) for first in range(0, len(request.seeds), self._slots.share)]
        running, reached = len(parts), None
        try:
            while running:
                item = await landed.get()
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

    @property
    def reader(self) -> ScoringEngine:
        """The engine as one that reads.

        Raises:
            UserError: It only writes.
        """
        if not isinstance(self._engine, ScoringEngine):
            raise UserError(
                f"{self._place}.engine: '{self.name}' ({type(self._engine).__name__}) writes text, and this "
                f"{self._role} needs an engine that reads; leave {self._place}.engine._target_ and .record as they are"
            )
        return self._engine

    async def read(self, reading: ScoreRequest) -> ScoreRows:
        """Returns what the engine reads; all tokens count as prompt tokens, whatever its cache saves of them.

        Raises:
            EngineError: The reading failed for good.
            LimitReached: The budget is used up, or its time was up before the reading ended.
        """
        scope = current()
        scope.check()
        await self._slots.wait(1, scope.order)
        started = now()
        try:
            scope.check()  # the wait may have been long
            (rows,) = [rows async for rows in in_time(_only(self.reader.read(reading)), scope)]
        finally:
            self._slots.release()
            charge(self._role, Usage(seconds=now() - started))
        tokens = len(reading.tokens)
        flops, dollars = 2.0 * (self.parameters or 0) * tokens, self.prices[0] * tokens
        charge(self._role, Usage(calls=1, prompt_tokens=tokens, flops=flops, dollars=dollars))
        return rows

    async def close(self) -> None:
        """Closes the engine, also for others who use it."""
        self._slots.fail(EngineError(f"the engine '{self.name}' was closed"))
        await super().close()


async def _only(result: Awaitable[ScoreRows]) -> AsyncGenerator[ScoreRows, None]:
    yield await result


class _Bill:
    """What a request costs, charged as its samples land."""

    def __init__(self, gate: MeteredEngine, role: Role) -> None:
        self._gate = gate
        self._role: Role = role
        self._calls = 1

    def add(self, completion: Completion) -> None:
        """Charges a sample; the prompt is shared by the request's samples and charged with the first."""
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
        )
        self._calls = 0
        charge(self._role, usage)
