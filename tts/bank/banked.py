"""Engines with stored results: what the bank holds is not computed again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from tts.bank.bank import Bank, Place
from tts.bank.scores import Row, pack_row, score_keys, unpack_row
from tts.bank.shelf import Shelf
from tts.core.errors import EngineError
from tts.engines.base import Identified
from tts.engines.generating import Completion, Engine, Request, generating
from tts.engines.scoring import ScoreRequest, ScoreRows, ScoringEngine
from tts.engines.wrapping import E, WrappingEngine, WrappingGenerator, WrappingScorer

_PAUSE, _LONGEST_PAUSE = 0.005, 0.2
"""Seconds between polls for a sample that another worker generates; doubled each time, up to the second value."""


class Banked(WrappingEngine[E]):
    """Base of banked engines of both kinds: registers the engine's model with the bank.

    Args:
        engine: The engine, which reports its identity.
        bank: The bank.
    """

    def __init__(self, engine: E, bank: Bank) -> None:
        super().__init__(engine)
        self._bank = bank
        self._model: bytes | None = None
        self._closings = 0

    @property
    def follows_clock(self) -> bool:
        """Always False: other processes may be computing a result, in real time."""
        return False

    async def start(self) -> None:
        """Starts the engine and registers its model; later changes to its files have no effect."""
        await super().start()
        if self._model is None:
            self._model = await self._bank.register(self.name, self.identity())

    async def close(self) -> None:
        """Closes the engine and fails waiting requests; the bank stays open for other engines."""
        self._closings += 1
        self._model = None
        await super().close()

    async def _registered(self) -> bytes:
        """Returns the model's key; starts the engine if necessary."""
        if self._model is None:
            await self.start()
            assert self._model is not None
        return self._model


class BankedEngine(Banked[Engine], WrappingGenerator):
    """Returns samples that the bank holds, and generates and stores the rest.

    If another coroutine or process is already generating a sample, this one waits for it. If that worker fails or is
    killed, the first waiter takes over.
    """

    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        """Yields first the stored samples, then the generated ones, each as it finishes.

        Raises:
            EngineError: The request failed permanently.
            BankError: The bank can no longer be read or written.
        """
        place = self._bank.place(await self._registered(), request)
        missing: dict[int, list[int]] = {}
        for index, seed in enumerate(request.seeds):
            missing.setdefault(seed, []).append(index)
        pause, closings = _PAUSE, self._closings
        while True:
            found = await self._bank.get(place, list(missing))
            for seed in [seed for seed in missing if seed in found]:
                for index in missing.pop(seed):
                    yield _at(index, found[seed])
            left = len(missing)
            if not left:
                return
            async with aclosing(self._generated(place, request, list(missing))) as landing:
                async for seed, completion in landing:
                    for index in missing.pop(seed):
                        yield _at(index, completion)
            if not missing:
                return
            pause = min(2 * pause, _LONGEST_PAUSE) if len(missing) == left else _PAUSE
            await asyncio.sleep(pause)
            if self._closings != closings:
                raise EngineError(f"the engine '{self.name}' was closed")

    async def _generated(
        self, place: Place, request: Request, seeds: Sequence[int]
    ) -> AsyncGenerator[tuple[int, Completion], None]:
        """Claims the seeds that no other worker has claimed, and yields their samples as pairs of seed and sample."""
        claimed = await self._bank.claim(place, seeds)
        generating = None
        try:
            # Some may have been stored before they were claimed.
            for seed, completion in (await self._bank.get(place, sorted(claimed))).items() if claimed else ():
                self._bank.release(place, seed)
                claimed.remove(seed)
                yield seed, completion
            mine = [seed for seed in seeds if seed in claimed]
            if not mine:
                return
            finished: asyncio.Queue[tuple[int, Completion] | Exception] = asyncio.Queue()
            # In a separate task, so that other waiters do not depend on how fast this caller consumes the samples.
            generating = asyncio.create_task(self._generate(place, request, mine, claimed, finished))
            for _ in mine:
                item = await finished.get()
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            if generating is not None:
                generating.cancel()
                await asyncio.gather(generating, return_exceptions=True)
            for seed in claimed:
                self._bank.release(place, seed)

    async def _generate(
        self,
        place: Place,
        request: Request,
        seeds: Sequence[int],
        claimed: set[int],
        finished: asyncio.Queue[tuple[int, Completion] | Exception],
    ) -> None:
        """Generates samples, stores them, and passes them on."""
        try:
            async with aclosing(self.inside.generate(replace(request, seeds=tuple(seeds)))) as completions:
                async for completion in completions:
                    seed = seeds[completion.index]
                    claimed.discard(seed)  # released when it is stored
                    self._bank.put(place, request, seed, completion)
                    finished.put_nowait((seed, completion))
        except Exception as error:
            finished.put_nowait(error)
        else:
            if claimed:
                finished.put_nowait(EngineError(f"the engine '{self.name}' returned fewer samples than requested"))


class BankedScorer(Banked[ScoringEngine], WrappingScorer):
    """Returns scores that the bank holds, and computes and stores the rest: each position once, see `Shelf`."""

    def __init__(self, engine: ScoringEngine, bank: Bank) -> None:
        super().__init__(engine, bank)
        self._shelf: Shelf[Row] | None = None

    async def score(self, request: ScoreRequest) -> ScoreRows:
        """Returns the scores; the engine computes only the positions that the bank lacks.

        Raises:
            EngineError: The request failed permanently.
            BankError: The bank can no longer be read or written.
        """
        model = await self._registered()
        if self._shelf is None:
            self._shelf = Shelf(self._bank, model, "scores", pack_row, unpack_row)
        keys = score_keys(request, self._shelf.digest())
        places = {key: place for place, key in enumerate(keys)}

        async def compute(missing: Sequence[bytes]) -> ScoreRows:
            return await self.inside.score(request.at([places[key] for key in missing]))

        return tuple(await self._shelf.get(keys, compute))

    async def close(self) -> None:
        """Closes the engine and fails waiting requests."""
        shelf, self._shelf = self._shelf, None
        if shelf is not None:
            shelf.close()
        await super().close()


def _at(index: int, completion: Completion) -> Completion:
    # Most requests have one sample, and copies are a large part of what a stored one costs.
    return completion if completion.index == index else replace(completion, index=index)


def banked(engine: Identified, bank: Bank) -> BankedEngine | BankedScorer:
    """Returns an engine of either kind that stores its results in a bank."""
    if isinstance(engine, ScoringEngine):
        return BankedScorer(engine, bank)
    return BankedEngine(generating(engine), bank)
