"""The parts of a request that run at once: their completions as they land, and an end to all when the engine closes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import suppress

from tts.core.errors import EngineError
from tts.engines.generating import Completion

_Landed = asyncio.Queue[list[Completion] | Exception]


class Parts:
    """Runs the parts of requests, on any event loop."""

    def __init__(self) -> None:
        self._running: dict[_Landed, list[asyncio.Task[None]]] = {}

    async def run(self, parts: Sequence[Coroutine[None, None, list[Completion]]]) -> AsyncGenerator[Completion, None]:
        """Yields the completions of all parts as they land; closing the iterator cancels the others.

        Raises:
            EngineError: A part raised it, or the engine was closed.
        """
        landed: _Landed = asyncio.Queue()
        tasks = [asyncio.create_task(_land(part, landed)) for part in parts]
        self._running[landed] = tasks
        try:
            for _ in tasks:
                finished = await landed.get()
                if isinstance(finished, Exception):
                    raise finished
                for completion in finished:
                    yield completion
        finally:
            del self._running[landed]
            _cancel(tasks)
            await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> None:
        """Fails what runs."""
        here = asyncio.get_running_loop()
        ending = list(self._running.items())
        for landed, tasks in ending:
            # The loop of an earlier job may be closed, with nobody waiting on it.
            with suppress(RuntimeError):
                tasks[0].get_loop().call_soon_threadsafe(_fail, landed, tasks)
        await asyncio.gather(
            *(task for _, tasks in ending for task in tasks if task.get_loop() is here), return_exceptions=True
        )


async def _land(part: Coroutine[None, None, list[Completion]], landed: _Landed) -> None:
    try:
        landed.put_nowait(await part)
    except Exception as error:
        landed.put_nowait(error)


def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()


def _fail(landed: _Landed, tasks: Sequence[asyncio.Task[None]]) -> None:
    landed.put_nowait(EngineError("the engine was closed"))
    _cancel(tasks)
