"""What a runtime owns: engines, sandboxes, graders and banks, one each for equal configurations."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from tts.bank import Bank, BankedEngine, BankedSandbox, BankedScorer, BankError, banked
from tts.budget import Role
from tts.config.build import PRICES, Config, build
from tts.core.annotations import fit
from tts.core.errors import UserError
from tts.core.grader import Grader
from tts.core.settings import Text, inside
from tts.engines.base import AsksServers, BaseEngine, asks_server, identified
from tts.engines.generating import generating
from tts.engines.metered import MeteredEngine, metered
from tts.engines.replay import Recorder
from tts.files.paths import expanded
from tts.runtime.collector import Collector
from tts.runtime.executor import Executor
from tts.sandbox.base import IdentifiedSandbox, Sandbox

_LOCAL: Config = {"_target_": "tts.runtime.executor.LocalExecutor"}


class Closable(Protocol):
    """Something that must be closed."""

    def close(self) -> Awaitable[None]:
        """Closes it."""


M = TypeVar("M", bound=Closable)

Servings = Mapping[str, Config]
"""For engines by `engine_key`: settings that replace the configured ones, since an executor has started their servers."""


def engine_key(config: Config) -> str:
    """Returns what is the same for the nodes of equal engines."""
    return json.dumps(_arguments(config), sort_keys=True)


def _arguments(config: Config) -> Config:
    return {key: value for key, value in config.items() if key not in ("record", *PRICES)}


class Resources:
    """Creates what is asked for, once for equal configurations, and closes everything in the end.

    Args:
        open_bank: Opens the bank at a path.
    """

    def __init__(self, open_bank: Callable[[Path], Bank] = Bank) -> None:
        self._open_bank = open_bank
        self._engines: dict[str, BaseEngine] = {}
        self._banked: dict[tuple[int, Path], BankedEngine | BankedScorer] = {}
        self._metered: dict[tuple[object, ...], MeteredEngine] = {}
        self._sandboxes: dict[str, Sandbox] = {}
        self._banked_sandboxes: dict[tuple[int, Path], BankedSandbox] = {}
        self._graders: dict[str, Grader] = {}
        self._banks: dict[Path, Bank] = {}
        self._executors: dict[str, Executor] = {}
        self._servings: Servings = {}
        self._open: list[Closable] = []
        self._collector = Collector()

    def engine(self, config: Config, where: str, bank: Bank | None = None) -> BaseEngine:
        """Returns the engine that a configuration node describes.

        Args:
            config: `_target_`, its arguments, and optionally `record`, a file to record requests to, and the prices.
            where: Path of the node, for messages.
            bank: Stores its samples if it is `Identified`; None for no bank.
        """
        arguments = {**_arguments(config), **self._servings.get(engine_key(config), {})}
        engine = self.banked(
            self._once(self._engines, arguments, lambda: build(arguments, where, role=BaseEngine)), bank
        )
        record = fit(config.get("record"), Text | None, f"{where}.record")
        return engine if record is None else Recorder(generating(engine), str(record))

    def banked(self, engine: BaseEngine, bank: Bank | None) -> BaseEngine:
        """Returns the engine with the bank around it, or the engine itself if it is not `Identified`."""
        if bank is None or not identified(engine):
            return engine
        # Always the same wrapper: it remembers which model was loaded, and the checkpoint may have changed since.
        return self._banked.setdefault((id(engine), bank.path), banked(engine, bank))

    def metered(
        self,
        engine: BaseEngine,
        role: Role,
        limit: int | None,
        prompt_price: float | None = None,
        completion_price: float | None = None,
    ) -> MeteredEngine:
        """Returns the engine as a role uses it: one for equal arguments, so that all searches share its limit in flight."""
        key = (id(engine), role, limit, prompt_price, completion_price)
        if key not in self._metered:
            self._metered[key] = metered(engine, role, limit, prompt_price, completion_price)
        return self._metered[key]

    def sandbox(self, config: Config, bank: Bank | None = None) -> Sandbox:
        """Returns the sandbox that a node describes, not started yet; code whose outcome is in the bank is not run."""
        sandbox = self._once(self._sandboxes, config, lambda: build(config, "sandbox", role=Sandbox))
        if bank is None or not isinstance(sandbox, IdentifiedSandbox):
            return sandbox
        return self._banked_sandboxes.setdefault((id(sandbox), bank.path), BankedSandbox(sandbox, bank))

    def grader(self, config: Config, sandbox: Sandbox) -> Grader:
        """Returns the grader that a node describes; it runs code in `sandbox`."""
        key = {**config, "sandbox": id(sandbox)}
        return self._once(self._graders, key, lambda: build(config, "grading", {"sandbox": sandbox}, role=Grader))

    def bank(self, path: str | Path) -> Bank:
        """Returns the bank at a path.

        Raises:
            BankError: The file is not a bank, is damaged, or cannot be written.
        """
        try:
            place = expanded(path).resolve()
        except (UserError, OSError, ValueError) as error:
            raise BankError(f"bank {path}: {error}; name another file in bank.path") from None
        if place not in self._banks:
            self._banks[place] = self._open_bank(place)
        return self._banks[place]

    @contextmanager
    def served(self, servings: Servings) -> Iterator[None]:
        """Lets what is composed in this context ask servers that an executor has started."""
        before, self._servings = self._servings, servings
        try:
            yield
        finally:
            self._servings = before

    def moved(self, before: str, now: str) -> None:
        """Tells the engines that a server has another URL now."""
        for engine in self._engines.values():
            if isinstance(engine, AsksServers):
                engine.moved(before, now)

    def executor(self, config: Config) -> Executor:
        """Returns the executor that a configuration's node `executor` describes; this process if there is none.

        Raises:
            UserError: It cannot do what the configuration describes.
        """
        node = config.get("executor") or _LOCAL
        executor = self._once(self._executors, node, lambda: build(node, "executor", role=Executor))
        with inside("executor"):
            executor.check(config)
        return executor

    async def start(self, engines: Mapping[str, BaseEngine], sandbox: Sandbox | None) -> None:
        """Starts what is not started yet: clients of servers first, then what loads weights.

        Args:
            engines: By the place they serve; places may share one.
            sandbox: None if no code is run.

        Raises:
            UserError: A model, a server or the sandbox is not available.
        """
        await self.flush()  # opens the banks: one that cannot be written is told before anything is loaded
        if sandbox is not None:
            await sandbox.start()
        for place, engine in sorted(engines.items(), key=lambda placed: _loads(placed[1])):
            with inside(f"{place}.engine"):
                await engine.start()
        self._collector.settle()

    async def flush(self) -> None:
        """Returns when all banks have stored their samples."""
        for bank in self._banks.values():
            await bank.flush()

    async def close(self) -> None:
        """Closes everything, the newest first; a failure does not keep the others open.

        Raises:
            ExceptionGroup: What could not be closed.
        """
        faults: list[Exception] = []
        while self._open:
            part = self._open.pop()
            try:
                await part.close()
            except Exception as error:
                faults.append(error)
            except asyncio.CancelledError:
                faults.append(RuntimeError(f"closing {type(part).__name__} was cancelled from inside"))
        while self._banks:
            try:
                self._banks.popitem()[1].close()
            except Exception as error:
                faults.append(error)
        for made in (
            *(self._engines, self._banked, self._metered, self._sandboxes, self._banked_sandboxes),
            *(self._graders, self._executors),
        ):
            made.clear()
        self._collector.restore()
        if faults:
            raise ExceptionGroup("could not be closed", faults)

    def _once(self, made: dict[str, M], config: Config, make: Callable[[], M]) -> M:
        key = json.dumps(config, sort_keys=True)
        if key not in made:
            made[key] = make()
            self._open.append(made[key])
        return made[key]


def _loads(engine: BaseEngine) -> bool:
    return not asks_server(engine)
