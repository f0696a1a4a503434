"""An engine that holds a thread, a runtime that has it, and what a process holds."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.runtime.parts import arguments, writing
from tts import Result, Runtime
from tts.engines.scripted import ScriptedEngine

SANDBOXED = ("sandbox=unsafe",)


def files(folder: Path) -> list[str]:
    """The files in a folder that this process has open."""
    opened = []
    for number in os.listdir("/proc/self/fd"):
        try:
            opened.append(os.readlink(f"/proc/self/fd/{number}"))
        except FileNotFoundError:  # the listing's own
            continue
    return sorted(path for path in opened if path.startswith(str(folder)))


def children() -> set[int]:
    """The processes that this one started and has not seen end."""
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        found |= {int(child) for child in (task / "children").read_text().split()}
    return found


def held() -> tuple[set[threading.Thread], set[int]]:
    """Returns threads and processes, without the threads that the event loop keeps for whoever needs one."""
    threads = {thread for thread in threading.enumerate() if not thread.name.startswith("asyncio_")}
    return threads, children()


class Holder:
    """An engine with a thread of its own, as those that load models have, and the life that it had."""

    follows_clock = True
    parameters = None
    capacity = 8

    def __init__(self, name: str = "holder", fault: str | None = None) -> None:
        self.name, self._fault = name, fault
        self.opening: Callable[[], Any] | None = None
        self.closing: Callable[[], Any] | None = None
        self._inner = ScriptedEngine(writing)
        self._stop = threading.Event()
        self.thread: threading.Thread | None = None
        self.closed = 0
        self.generate, self.count_tokens, self.render = (
            self._inner.generate,
            self._inner.count_tokens,
            self._inner.render,
        )

    async def start(self) -> None:
        if self.thread is None:
            self.thread = threading.Thread(target=self._stop.wait, name=self.name)
            self.thread.start()
        if self.opening is not None:
            await self.opening()

    async def close(self) -> None:
        if self.closing is not None:
            await self.closing()
        self.closed += 1
        self._stop.set()
        if self.thread is not None:
            self.thread.join()
        if self._fault == "cancelled":
            raise asyncio.CancelledError
        if self._fault is not None:
            raise RuntimeError(self._fault)


def held_by(runtime: Runtime, **settings: str) -> Holder:
    """Returns an engine that a runtime made, and therefore closes."""
    engine = runtime.resources.engine({"_target_": f"{__name__}.Holder", **settings}, "policy.engine")
    assert isinstance(engine, Holder)
    return engine


def asking(engine: Holder) -> dict[str, Any]:
    """Returns the arguments of a search with an engine."""
    return arguments(policy=None, engines={"policy": engine})


CHATML = ("policy=generic", "policy.chat=chatml")


def timeless(result: Result) -> Any:
    nodes = tuple(replace(node, landed_s=0.0, judged_s=None) for node in result.tree.nodes)
    tokens = {role: replace(usage, seconds=0.0) for role, usage in result.usage.items()}
    return result.answer, list(result.candidates), replace(result.tree, nodes=nodes), tokens
