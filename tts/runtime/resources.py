"""What a runtime owns: engines, sandboxes, graders and banks, of which equal configurations share one."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Protocol, TypeVar

from tts.bank import Bank, BankedEngine, BankedSandbox, BankedScorer, BankError, banked
from tts.config.build import PRICES, Config, build
from tts.core.grader import Grader
from tts.core.settings import inside
from tts.engines.base import BaseEngine, identified
from tts.engines.generating import generating
from tts.engines.replay import Recorder
from tts.sandbox.base import IdentifiedSandbox, Sandbox


class Closable(Protocol):
    """Something with a life."""

    def close(self) -> Awaitable[None]:
        """Ends it."""


M = TypeVar("M", bound=Closable)


class Resources:
    """Makes what is asked for, once for equal configurations, and closes all of it in the end."""

    def __init__(self) -> None:
        self._engines: dict[str, BaseEngine] = {}
        self._banked: dict[tuple[int, Path], BankedEngine | BankedScorer] = {}
        self._sandboxes: dict[str, Sandbox] = {}
        self._banked_sandboxes: dict[tuple[int, Path], BankedSandbox] = {}
        self._graders: dict[str, Grader] = {}
        self._banks: dict[Path, Bank] = {}
        self._open: list[Closable] = []
        self._frozen = False

    def engine(self, config: Config, where: str, bank: Bank | None = None) -> BaseEngine:
        """Returns the engine that a node describes.

        Args:
            config: `_target_`, its arguments, and optionally `record`, a file to record requests to, and the prices.
            where: The node's place in the configuration, for messages.
            bank: Where its samples are kept, None for nowhere; those of an engine that is not `Identified` never are.
        """
        arguments = {key: value for key, value in config.items() if key not in ("record", *PRICES)}
        engine = self.banked(self._once(self._engines, arguments, lambda: build(arguments, where)), bank)
        return Recorder(generating(engine), config["record"]) if config.get("record") else engine

    def banked(self, engine: BaseEngine, bank: Bank | None) -> BaseEngine:
        """Returns an engine whose results are kept, where it can tell what they depend on; the same for the same engine."""
        if bank is None or not identified(engine):
            return engine
        # It must be the one that saw which model was loaded: the checkpoint may have been changed since.
        return self._banked.setdefault((id(engine), bank.path), banked(engine, bank))

    def sandbox(self, config: Config, bank: Bank | None = None) -> Sandbox:
        """Returns the sandbox that a node describes, not started yet; with a bank, one that runs no code known there."""
        sandbox = self._once(self._sandboxes, config, lambda: build(config, "sandbox"))
        if bank is None or not isinstance(sandbox, IdentifiedSandbox):
            return sandbox
        return self._banked_sandboxes.setdefault((id(sandbox), bank.path), BankedSandbox(sandbox, bank))

    def grader(self, config: Config, sandbox: Sandbox) -> Grader:
        """Returns the grader that a node describes, with `sandbox` for what it runs."""
        key = {**config, "sandbox": id(sandbox)}
        return self._once(self._graders, key, lambda: build(config, "grading", {"sandbox": sandbox}))

    def bank(self, path: str | Path) -> Bank:
        """Returns the bank in a file.

        Raises:
            BankError: The file is not a bank, damaged, or cannot be written.
        """
        try:
            place = Path(path).expanduser().resolve()
        except (OSError, RuntimeError, ValueError) as error:
            raise BankError(f"bank {path}: {error}; name another file in bank.path") from None
        if place not in self._banks:
            self._banks[place] = Bank(place)
        return self._banks[place]

    async def start(self, engines: Mapping[str, BaseEngine], sandbox: Sandbox | None) -> None:
        """Starts what is not started yet: first what only reaches a server, then what loads weights.

        Args:
            engines: By whose they are; several places may share one.
            sandbox: None where no code is run.

        Raises:
            UserError: A model, a server or the sandbox is not there.
        """
        if sandbox is not None:
            await sandbox.start()
        for place, engine in sorted(engines.items(), key=lambda placed: _loads(placed[1])):
            with inside(f"{place}.engine"):
                await engine.start()
        if not self._frozen:
            # What is loaded by now stays: no collection of garbage needs to look at it again.
            gc.collect()
            gc.freeze()
            self._frozen = True

    async def flush(self) -> None:
        """Returns when all that was put into the banks is stored."""
        for bank in self._banks.values():
            await bank.flush()

    async def close(self) -> None:
        """Closes everything, the last made first; what cannot be closed keeps nothing else from it.

        Raises:
            ExceptionGroup: Of what could not be closed.
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
        for made in (self._engines, self._banked, self._sandboxes, self._banked_sandboxes, self._graders):
            made.clear()
        if self._frozen:
            gc.unfreeze()
            self._frozen = False
        if faults:
            raise ExceptionGroup("could not be closed", faults)

    def _once(self, made: dict[str, M], config: Config, make: Callable[[], M]) -> M:
        key = json.dumps(config, sort_keys=True)
        if key not in made:
            made[key] = make()
            self._open.append(made[key])
        return made[key]


def _loads(engine: BaseEngine) -> bool:
    return not getattr(engine, "remote", False)
