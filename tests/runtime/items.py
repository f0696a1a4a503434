"""Items for the one loop, and work on them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tts.budget import Scope, Usage, charge
from tts.core.errors import ProblemError
from tts.files.jsonl_log import MemoryLog
from tts.runtime.batch import Record, Sink, batch


def failed(item: object, message: str, meter: Scope) -> Record:
    return {"item": item, "error": message}


def item_of(item: object) -> Hashable:
    return item


async def done(item: object) -> Record:
    await asyncio.sleep(0)
    return {"item": item, "error": None}


async def run(items: Any, work: Any = done, sink: Sink | None = None, **more: Any) -> list[Record]:
    log = MemoryLog() if sink is None else sink
    await batch(items, work, log, item_of, failed=failed, **more)
    return log.records if isinstance(log, MemoryLog) else []


class Work:
    """Takes as many turns of the event loop as an item says, and counts."""

    def __init__(self, fails: Callable[[int], bool] = lambda number: False) -> None:
        self.running = self.most = self.begun = 0
        self._fails = fails

    async def __call__(self, item: int) -> Record:
        number, self.begun = self.begun, self.begun + 1
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            for _ in range(item):
                await asyncio.sleep(0)
            charge("policy", Usage(completion_tokens=10))
            if self._fails(number):
                raise ProblemError(f"item {number} cannot be done")
            return {"item": item, "error": None}
        finally:
            self.running -= 1


items = st.lists(st.integers(0, 6), max_size=25)


def lines(path: Path) -> list[Record]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def kept(_: str, record: Record) -> Hashable | None:
    return None if record["error"] is not None else record["item"]


def fault(number: int) -> Record:
    raise ZeroDivisionError("the plug-in is broken")
